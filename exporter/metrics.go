package exporter

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"pidgeon/status"
)

// formats are the content types of Prometheus' text format and of OpenMetrics.
const (
	textFormat  = "text/plain; version=0.0.4; charset=utf-8"
	openMetrics = "application/openmetrics-text; version=1.0.0; charset=utf-8"
)

// exposition writes metrics in Prometheus' text format
// (https://prometheus.io/docs/instrumenting/exposition_formats) or, which differs in two
// places, in that of OpenMetrics. These 40 lines cost PID 1 less than a library, even
// one that it does not call (docs/dependencies.md).
type exposition struct {
	io.Writer
	open bool
}

func negotiate(w http.ResponseWriter, r *http.Request) exposition {
	open := strings.Contains(r.Header.Get("Accept"), "application/openmetrics-text")
	w.Header().Set("Content-Type", map[bool]string{false: textFormat, true: openMetrics}[open])
	return exposition{w, open}
}

func (e exposition) write(d status.Document) {
	truth := map[bool]int{true: 1}
	gauge := func(name, help string, samples ...string) { e.family(name, "gauge", help, samples) }
	gauge("pidgeon_build_info", "Versions, with the value 1.", sample(1, "version", d.Version, "dovecot", d.Dovecot))
	gauge("pidgeon_ready", "1 if Dovecot serves, and all its listeners greet.", sample(truth[d.Ready]))
	var greets []string
	for _, name := range slices.Sorted(maps.Keys(d.Listeners)) {
		greets = append(greets, sample(truth[d.Silent[name] == ""], "listener", name))
	}
	gauge("pidgeon_listener_greets", "1 if the listener has greeted when it was last asked.", greets...)
	var up []string
	for _, database := range d.Databases {
		up = append(up, sample(truth[database.Down == ""], "backend", database.Name))
	}
	gauge("pidgeon_backend_up", "1 if this database of AUTH answers.", up...)
	if f := d.Foreign; f != nil {
		e.family("pidgeon_foreign_refused_total", "counter", "Logins and deliveries refused because the user is another backend's, since the last reload.",
			[]string{sample(f.Logins, "what", "login"), sample(f.Deliveries, "what", "delivery")})
	}
	var events []string
	for _, name := range slices.Sorted(maps.Keys(d.Events)) {
		events = append(events, sample(d.Events[name], "metric", name))
	}
	e.family("pidgeon_dovecot_events_total", "counter", "Events that a metric in Dovecot's configuration has counted, since the last reload.", events)
	gauge("pidgeon_degraded", "1 if Dovecot serves something else than what was asked for last.", sample(truth[d.Degraded]))
	gauge("pidgeon_refused", "Reasons why the last change is not in force.", sample(len(d.Refused)))
	gauge("pidgeon_overrides", "Overrides in force.", sample(len(d.Overrides)))
	gauge("pidgeon_generation_info", "The configuration in force, with the value 1.", sample(1, "generation", d.Generation))
	gauge("pidgeon_generation_start_timestamp_seconds", "Since when it is in force.", moment(d.Since)...)
	gauge("pidgeon_start_timestamp_seconds", "When pidgeon was started.", moment(d.Started)...)
	gauge("pidgeon_last_reload_timestamp_seconds", "When Dovecot last loaded its configuration.", moment(d.LastReload)...)
	e.family("pidgeon_reloads_total", "counter", "Configurations that Dovecot loaded while running, and changes refused before or by it.",
		[]string{sample(d.Reloads.Loaded, "result", "loaded"), sample(d.Reloads.Refused, "result", "refused")})
	expiries := moment(d.CertificateExpires)
	for _, name := range slices.Sorted(maps.Keys(d.SNIExpires)) {
		expiries = append(expiries, moment(d.SNIExpires[name], "name", name)...)
	}
	gauge("pidgeon_certificate_expiry_timestamp_seconds", "When the certificate that is served expires; those of TLS_SNI_DIR with their names.", expiries...)
	var sessions, older, limits, connections, most []string
	for _, u := range d.Usage {
		if u.Sessions != nil {
			sessions = append(sessions, sample(*u.Sessions, "protocol", u.Protocol))
			older = append(older, sample(u.Older, "protocol", u.Protocol))
		}
		if u.Connections != nil {
			connections = append(connections, sample(*u.Connections, "protocol", u.Protocol))
		}
		limits = append(limits, sample(u.Limit, "protocol", u.Protocol))
		most = append(most, sample(u.MaxConnections, "protocol", u.Protocol))
	}
	if d.Mail.Size > 0 {
		gauge("pidgeon_mail_free_bytes", "Free in the file system of MAIL_DIR.", sample(int(d.Mail.Free)))
		gauge("pidgeon_mail_size_bytes", "Size of that.", sample(int(d.Mail.Size)))
		gauge("pidgeon_mail_full", "1 if it has no bytes or no files left.", sample(truth[d.Mail.Full]))
	}
	gauge("pidgeon_sessions", "Sessions that are logged in, of all generations.", sessions...)
	gauge("pidgeon_sessions_older", "Of these, sessions from before the last reload, which do not count against the limit.", older...)
	gauge("pidgeon_sessions_limit", "Sessions that are held.", limits...)
	gauge("pidgeon_connections", "Connections that hold a place, logged in or not, of all generations.", connections...)
	gauge("pidgeon_connections_limit", "Connections that are let in; further ones are turned away.", most...)
	if d.Container.Limit > 0 {
		gauge("pidgeon_container_sessions_limit", "Sessions of all protocols and generations that the container has room for.", sample(d.Container.Limit, "limited_by", d.Container.By))
	}
	if e.open {
		fmt.Fprintln(e, "# EOF")
	}
}

// family writes a metric, unless it has no samples.
func (e exposition) family(name, kind, help string, samples []string) {
	if len(samples) > 0 {
		family := name
		if e.open { // OpenMetrics has the suffix of a counter in the samples alone
			family = strings.TrimSuffix(name, "_total")
		}
		fmt.Fprintf(e, "# HELP %s %s\n# TYPE %s %s\n", family, help, family, kind)
	}
	for _, s := range samples {
		fmt.Fprintf(e, "%s%s\n", name, s)
	}
}

var inLabel = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)

// sample is a value, with the names and values of its labels in turn.
func sample(value int, labels ...string) string {
	var pairs []string
	for i := 0; i < len(labels); i += 2 {
		pairs = append(pairs, labels[i]+`="`+inLabel.Replace(strings.ToValidUTF8(labels[i+1], "?"))+`"`)
	}
	if len(pairs) == 0 {
		return fmt.Sprint(" ", value)
	}
	return fmt.Sprintf("{%s} %d", strings.Join(pairs, ","), value)
}

// moment is a sample of a time, none for the zero time.
func moment(t time.Time, labels ...string) []string {
	if t.IsZero() {
		return nil
	}
	return []string{sample(int(t.Unix()), labels...)}
}
