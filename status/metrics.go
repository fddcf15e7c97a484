package status

import "pidgeon/metrics"

// measures are the metrics of a state. What is unknown has no sample.
func (d Document) measures() []metrics.Metric {
	return append([]metrics.Metric{
		metrics.Gauge("pidgeon_build_info", "Versions, with the value 1.", metrics.One(1, "version", d.Version, "dovecot", d.Dovecot)),
		metrics.Gauge("pidgeon_ready", "1 if Dovecot serves.", metrics.Truth(d.Ready)),
		metrics.Gauge("pidgeon_degraded", "1 if Dovecot serves something else than what was asked for last.", metrics.Truth(d.Degraded)),
		metrics.Gauge("pidgeon_refused", "Reasons why the last change is not in force.", metrics.One(len(d.Refused))),
		metrics.Gauge("pidgeon_overrides", "Overrides in force.", metrics.One(len(d.Overrides))),
		metrics.Gauge("pidgeon_generation_info", "The configuration in force, with the value 1.", metrics.One(1, "generation", d.Generation)),
		metrics.Gauge("pidgeon_generation_start_timestamp_seconds", "Since when it is in force.", metrics.Moment(d.Since)),
		metrics.Gauge("pidgeon_last_reload_timestamp_seconds", "When Dovecot last loaded its configuration.", metrics.Moment(d.LastReload)),
		{
			Name: "pidgeon_reloads_total", Type: "counter",
			Help:    "Configurations that Dovecot loaded while running, and changes refused before or by it.",
			Samples: append(metrics.One(d.Reloads.Loaded, "result", "loaded"), metrics.One(d.Reloads.Refused, "result", "refused")...),
		},
		metrics.Gauge("pidgeon_certificate_expiry_timestamp_seconds", "When the certificate that is served expires.", metrics.Moment(d.CertificateExpires)),
	}, d.sessionMeasures()...)
}

func (d Document) sessionMeasures() []metrics.Metric {
	each := func(name, help string, value func(Usage) (int, bool)) metrics.Metric {
		var samples []metrics.Sample
		for _, u := range d.Usage {
			if n, ok := value(u); ok {
				samples = append(samples, metrics.One(n, "protocol", u.Protocol)...)
			}
		}
		return metrics.Gauge(name, help, samples)
	}
	all := []metrics.Metric{
		each("pidgeon_sessions", "Sessions that are logged in, of all generations.", func(u Usage) (int, bool) { return known(u.Sessions) }),
		each("pidgeon_sessions_older", "Of these, sessions from before the last reload, which do not count against the limit.", func(u Usage) (int, bool) { return u.Older, u.Sessions != nil }),
		each("pidgeon_sessions_limit", "Sessions that are held.", func(u Usage) (int, bool) { return u.Limit, true }),
		each("pidgeon_connections", "Connections that hold a place, logged in or not, of all generations.", func(u Usage) (int, bool) { return known(u.Connections) }),
		each("pidgeon_connections_limit", "Connections that are let in; further ones are turned away.", func(u Usage) (int, bool) { return u.MaxConnections, true }),
	}
	if d.Container.Limit > 0 {
		all = append(all, metrics.Gauge("pidgeon_container_sessions_limit", "Sessions of all protocols and generations that the container has room for.", metrics.One(d.Container.Limit, "limited_by", d.Container.By)))
	}
	return all
}

func known(n *int) (int, bool) {
	if n == nil {
		return 0, false
	}
	return *n, true
}
