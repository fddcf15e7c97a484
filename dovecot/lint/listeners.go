package lint

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"pidgeon/config"
	"pidgeon/dovecot"
	"pidgeon/finding"
)

// ChangedListeners finds listeners of the environment that overrides have changed. It warns,
// because each change has its use but locks clients of that listener out. A protocol without
// any listener is a fault, unless all are off, and so is a listener that a line about
// something else takes away. A whole configuration may have other protocols.
func (c *Config) ChangedListeners(s dovecot.Settings, asked []config.Listener, whole bool) finding.List {
	found := c.clientCertificates(s)
	closed, open := map[string]finding.Finding{}, map[string]bool{}
	for _, want := range asked {
		p, ok := config.ListenerOf(want.Name)
		if want.Port == 0 || !ok {
			continue
		}
		variable, socket := strings.ToUpper(want.Name)+"_PORT", dovecot.SocketOf(p, want.Name)
		changed := func(in *section, setting, problem, hint string) finding.Finding {
			return c.blamed(in, setting, finding.Finding{
				Code: finding.ChangedListener, Warning: true, Problem: "the listener " + want.Name + " " + problem, Hint: hint,
			})
		}
		note := func(setting, problem, hint string) {
			found = append(found, changed(c.section(c.service(socket.Service), socket.Kind, socket.Name), setting, problem, hint))
		}
		port, set := s.Int(socket.Setting("port"))
		encrypted, implicit := s[socket.Setting("ssl")], strings.HasSuffix(want.Name, "s")
		if !s.ProtocolOn(p.Name) {
			off := changed(nil, "protocols", "is off with its protocol, which PROTOCOLS asks for", "to have no "+p.Name+", take it out of PROTOCOLS")
			off = c.blamed(c.section(nil, "protocols", ""), p.Name, off) // 2.4
			if found = append(found, off); !whole {
				closed[p.Name] = off
			}
			continue
		}
		if set && port == 0 && moved(s, socket.Service, want.Port) {
			open[p.Name] = true
			continue
		}
		if set && port == 0 {
			note("port", fmt.Sprintf("is off, and %s asks for port %d", variable, want.Port), "to have it off, set "+variable+"=0")
			closed[p.Name] = found[len(found)-1]
			continue
		}
		if implicit && s["ssl"] == "no" && encrypted != "no" { // the master opens none (2.3.19, 2.4.1)
			off := changed(nil, "ssl", "is not opened with ssl = no", "leave the line out, or set TLS=no")
			off.Warning = c.allowsCleartext()
			found, closed[p.Name] = append(found, off), off
			continue
		}
		open[p.Name] = true
		if implicit && encrypted != "no" && s["protocol/"+p.Name+"/ssl"] == "no" { // it is opened, and hangs up (2.3.19, 2.4.1)
			deaf := changed(c.section(nil, "protocol", p.Name), "ssl", "would greet nobody with ssl = no", "leave the line out, or set "+variable+"=0")
			deaf.Warning = false
			found = append(found, deaf)
		}
		if set && port != want.Port {
			note("port", fmt.Sprintf("is on port %d, and %s asks for %d", port, variable, want.Port), fmt.Sprintf("set %s=%d", variable, port))
		}
		if s[socket.Setting("haproxy")] == "yes" && !want.HAProxy {
			note("haproxy", "turns away who does not come through a proxy that speaks HAProxy's protocol", "give such a proxy a listener of its own")
		}
		switch {
		case implicit && encrypted == "no":
			note("ssl", "does not speak TLS, which its clients begin with", "leave the line out, unless a proxy before it ends TLS")
		case !implicit && encrypted == "yes":
			note("ssl", "begins with TLS, which its clients do not expect", "leave the line out: "+want.Name+"s is the listener for that")
		}
	}
	if !s.AnyProtocolOn() {
		return found // a Dovecot for authentication alone is meant so
	}
	for _, protocol := range slices.Sorted(maps.Keys(closed)) {
		open[protocol] = open[protocol] || slices.ContainsFunc(s.Listeners(), func(l config.Listener) bool { return l.Protocol == protocol })
		if f := closed[protocol]; !open[protocol] && protocol != "lmtp" { // LMTP may do with a Unix socket
			f.Warning, f.Problem = false, "every listener for "+protocol+" that was asked for is off"
			f.Hint = "to have no " + protocol + ", take it out of PROTOCOLS"
			found = append(found, f)
		}
	}
	return found
}

// ProtocolsWithPassdb reports whether one override sets the protocols and has a passdb. One that
// only sets protocols may mean to add one.
func (c *Config) ProtocolsWithPassdb() bool {
	protocols := c.last(nil, "protocols")
	return protocols != nil && protocols.file.Override && slices.ContainsFunc(protocols.file.statements, func(s *statement) bool {
		return s.kind == opening && s.key == "passdb" && s.in == nil
	})
}

// allowsCleartext reports whether an override lets users log in without TLS, so that one
// that turns TLS off means it so.
func (c *Config) allowsCleartext() bool {
	old, now := c.last(nil, "disable_plaintext_auth"), c.last(nil, "auth_allow_cleartext")
	return old != nil && old.file.Override && old.value == "no" || now != nil && now.file.Override && now.value == "yes"
}

// clientCertificates finds configurations that require certificates of clients and never ask
// for them, or know nobody who signs them, so that each login over TLS fails (2.3.19, 2.4.1).
func (c *Config) clientCertificates(s dovecot.Settings) finding.List {
	problem := "certificates are required of clients, which are not asked for one"
	if s["auth_ssl_require_client_cert"] != "yes" {
		return nil
	}
	if s["ssl_verify_client_cert"] == "yes" || s["ssl_server/request_client_cert"] == "yes" {
		signers := cmp.Or(c.named(nil, "ssl_ca").Path, c.named(nil, "ssl_server_ca_file").Path)
		if data, _ := ReadRegular(signers); signers == "" || bytes.Contains(data, []byte("-----BEGIN ")) {
			return nil
		}
		problem = "certificates are required of clients, and " + signers + " has none of who signs them"
	}
	return finding.List{c.blamed(nil, "auth_ssl_require_client_cert", finding.Finding{
		Code:    finding.ChangedListener,
		Problem: "nobody could log in: " + problem,
		Hint:    "leave the line out, or set ssl_verify_client_cert and ssl_ca (2.3), ssl_server_request_client_cert and ssl_server_ca_file (2.4)",
	})}
}

// NamesCertificate reports whether a line sets a certificate that clients get.
func (c *Config) NamesCertificate() bool {
	return slices.ContainsFunc(c.statements, func(s *statement) bool {
		return s.sets() && s.value != "" && (s.key == "ssl_cert" || strings.HasSuffix(s.key, "cert_file") && !strings.Contains(s.key, "client"))
	})
}

// PassdbFaults finds a configuration without a passdb, with which nobody can log in: auth ends
// at once if a mechanism needs one, and none is there but for masters (2.3.19, 2.4.1).
func (c *Config) PassdbFaults(s dovecot.Settings) finding.List {
	passdbs, mechanisms := 0, strings.Fields(strings.Trim(s["auth_mechanisms"], `"`))
	for _, st := range c.statements {
		if st.kind == opening && st.key == "passdb" {
			passdbs++
		}
	}
	for name, value := range s {
		if strings.HasPrefix(name, "passdb/") && strings.HasSuffix(name, "/master") && value == "yes" {
			passdbs--
		}
		if mechanism, ok := strings.CutPrefix(name, "auth_mechanisms/"); ok && value == "yes" {
			mechanisms = append(mechanisms, mechanism)
		}
	}
	without := func(mechanism string) bool {
		return slices.Contains([]string{"anonymous", "oauthbearer", "xoauth2"}, strings.ToLower(mechanism))
	}
	logins := func(p config.Protocol) bool { return p.Session != "" && s.ProtocolOn(p.Name) }
	if passdbs > 0 || len(mechanisms) > 0 && !slices.ContainsFunc(mechanisms, func(m string) bool { return !without(m) }) || !slices.ContainsFunc(config.Protocols(), logins) {
		return nil
	}
	return finding.List{c.blamed(nil, "protocols", finding.Finding{
		Code:    finding.ChangedListener,
		Problem: "nobody can log in: there is no passdb, which says who may",
		Hint:    "write one, such as of the driver pam or passwd-file, or include the file that has it",
	})}
}

// moved reports whether another listener of a service has a port.
func moved(s dovecot.Settings, service string, port int) bool {
	return slices.ContainsFunc(s.Sockets(), func(l dovecot.Socket) bool {
		n, _ := s.Int(l.Setting("port"))
		return l.Service == service && l.Kind == dovecot.InetListener && n == port
	})
}

// WithSockets adds the sockets of overrides, because doveconf 2.3 leaves out those whose
// section is empty.
func (c *Config) WithSockets(s dovecot.Settings) dovecot.Settings {
	all := maps.Clone(s)
	for st := range c.overrides {
		inFileSystem := st.kind == opening && (st.key == "unix_listener" || st.key == "fifo_listener")
		if inFileSystem && st.within("service") && st.in.around == nil {
			all[dovecot.Socket{Service: st.in.name, Kind: st.key, Name: st.name}.Setting("")] = ""
		}
	}
	return all
}

// fewest is how many clients auth and stats must hold beside the processes that
// are kept ready, for a handful of users to log in. Measured with ten logins a
// second on two processors, six times each: at 6 and less logins fail with both on
// 2.3.19 and 2.4.1, at 16 with stats on 2.4.1, at 24 and 40 none does. Six of
// these clients are processes that are kept ready.
const fewest = 18

// LimitFaults finds limits of auth and stats that are too low for any login, because each
// process that serves users is a client of both. Dovecot warns of auth alone, and of limits
// that are only tight in the same words.
func (c *Config) LimitFaults(s dovecot.Settings) finding.List {
	ready := 0
	for name := range s {
		if strings.HasSuffix(name, "/process_min_avail") {
			n, _ := s.Int(name)
			ready += n
		}
	}
	var found finding.List
	for _, service := range []string{"auth", "stats"} {
		clients, ok := s.Int("service/" + service + "/client_limit")
		if !ok || clients == 0 || clients >= ready+fewest { // 0 is the default
			continue
		}
		found = append(found, c.blamed(c.service(service), "client_limit", finding.Finding{
			Code:    finding.LimitTooLow,
			Problem: fmt.Sprintf("service %s holds %d clients, and %d are the least with which users can log in", service, clients, ready+fewest),
			Hint:    "leave client_limit out: pidgeon sizes it",
		}))
	}
	return found
}

// OwnedSettingFaults finds the lines in force that set an owned setting to another value.
func (c *Config) OwnedSettingFaults(owned map[string]string) (found finding.List) {
	for _, s := range c.statements {
		if want, ok := owned[s.key]; ok && s.sets() && s.in == nil && s.value != want && c.ours(s) == nil {
			hint := "remove the line"
			if own := c.files[0].Override; s.key == "base_dir" && own { // 2.3.19 panics when it changes on a reload
				hint = "take the change back, or start anew with it"
			}
			found = append(found, s.fault(finding.OwnedSetting,
				fmt.Sprintf("%s is set to %q, and pidgeon needs it to be %q", s.key, s.value, want), hint))
		}
	}
	return found
}

// whole reports whether overrides are a whole configuration, which belongs into DOVECOT_CONF.
func (c *Config) whole() bool {
	var brought config.OverrideDefinitions
	protocols := c.last(nil, "protocols")
	c.ReadDefinitions(&brought)
	return !c.files[0].Override && (brought.Passdb || brought.Userdb || brought.Inbox || protocols != nil && protocols.file.Override)
}
