package main

import (
	"strings"
	"time"

	"pidgeon/metrics"
)

// measures are the metrics of a state. What is unknown has no sample.
func (s state) measures() []metrics.Metric {
	return append([]metrics.Metric{
		gauge("pidgeon_build_info", "Versions, with the value 1.", one(1, label("version", s.Version), label("dovecot", s.Dovecot))),
		gauge("pidgeon_ready", "1 if Dovecot serves.", one(truth(s.Ready))),
		gauge("pidgeon_degraded", "1 if Dovecot serves something else than what was asked for last.", one(truth(s.Degraded))),
		gauge("pidgeon_refused", "Reasons why the last change is not in force.", one(float64(len(s.Refused)))),
		gauge("pidgeon_overrides", "Overrides in force.", one(float64(len(s.Overrides)))),
		gauge("pidgeon_generation_info", "The configuration in force, with the value 1.", one(1, label("generation", s.Generation))),
		gauge("pidgeon_generation_start_timestamp_seconds", "Since when it is in force.", moment(s.Since)),
		gauge("pidgeon_last_reload_timestamp_seconds", "When Dovecot last loaded its configuration.", moment(s.LastReload)),
		{
			Name: "pidgeon_reloads_total", Type: "counter",
			Help: "Configurations that Dovecot loaded while running, and changes refused before or by it.",
			Samples: []metrics.Sample{
				{Labels: []metrics.Label{label("result", "loaded")}, Value: float64(s.Reloads.Loaded)},
				{Labels: []metrics.Label{label("result", "refused")}, Value: float64(s.Reloads.Refused)},
			},
		},
		gauge("pidgeon_certificate_expiry_timestamp_seconds", "When the certificate that is served expires.", moment(s.CertificateExpires)),
	}, s.sessionMeasures()...)
}

func (s state) sessionMeasures() []metrics.Metric {
	each := func(name, help string, value func(usage) (int, bool)) metrics.Metric {
		var samples []metrics.Sample
		for _, u := range s.Usage {
			if n, ok := value(u); ok {
				samples = append(samples, one(float64(n), label("protocol", u.Protocol))...)
			}
		}
		return gauge(name, help, samples)
	}
	all := []metrics.Metric{
		each("pidgeon_sessions", "Sessions that are logged in, of all generations.", func(u usage) (int, bool) { return known(u.Sessions) }),
		each("pidgeon_sessions_older", "Of these, sessions from before the last reload, which do not count against the limit.", func(u usage) (int, bool) { return u.Older, u.Sessions != nil }),
		each("pidgeon_sessions_limit", "Sessions that are held.", func(u usage) (int, bool) { return u.Limit, true }),
		each("pidgeon_connections", "Connections that hold a place, logged in or not, of all generations.", func(u usage) (int, bool) { return known(u.Connections) }),
		each("pidgeon_connections_limit", "Connections that are let in; further ones are turned away.", func(u usage) (int, bool) { return u.Places, true }),
	}
	if s.Room.Sessions > 0 {
		all = append(all, gauge("pidgeon_container_sessions_limit", "Sessions of all protocols and generations that the container has room for.", one(float64(s.Room.Sessions), label("limited_by", s.Room.By))))
	}
	return all
}

func gauge(name, help string, samples []metrics.Sample) metrics.Metric {
	return metrics.Metric{Name: name, Type: "gauge", Help: help, Samples: samples}
}

func one(value float64, labels ...metrics.Label) []metrics.Sample {
	return []metrics.Sample{{Labels: labels, Value: value}}
}

func label(name, value string) metrics.Label {
	return metrics.Label{Name: name, Value: strings.ToValidUTF8(value, "?")}
}

// moment has no sample for what never was.
func moment(t time.Time) []metrics.Sample {
	if t.IsZero() {
		return nil
	}
	return one(float64(t.Unix()))
}

func known(n *int) (int, bool) {
	if n == nil {
		return 0, false
	}
	return *n, true
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
