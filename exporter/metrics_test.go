package exporter

import (
	"strings"
	"testing"
	"time"

	"pidgeon/status"
	"pidgeon/userdb"
)

func TestMetrics(t *testing.T) {
	n := func(n int) *int { return &n }
	d := status.Document{
		Version: "1.0", Dovecot: "2.4.1 (a\"b\\c\nd\xff)", Ready: true, Generation: "gen-000001",
		Overrides: []string{"a.conf"}, Refused: []string{"x", "y"}, LastReload: time.Unix(1795460000, 999),
		Reloads:   status.Reloads{Loaded: 3, Refused: 1},
		Listeners: map[string]int{"imap": 143, "imaps": 993}, Silent: map[string]string{"imaps": "EOF"},
		Databases: []userdb.Database{{Name: "ldap"}, {Name: "sql", Down: "away"}},
		Foreign:   &status.ForeignRefusals{Logins: 7, Deliveries: 2},
		Container: status.Container{Limit: 44, By: "pids.max"},
		Usage: []status.Usage{
			{Protocol: "imap", Limit: 1000000, MaxConnections: 112, Sessions: n(90), Older: 1, Connections: n(95)},
			{Protocol: "sieve", Limit: 10, MaxConnections: 20},
		},
	}
	var b strings.Builder
	exposition{Writer: &b}.write(d)
	want := `# HELP pidgeon_build_info Versions, with the value 1.
# TYPE pidgeon_build_info gauge
pidgeon_build_info{version="1.0",dovecot="2.4.1 (a\"b\\c\nd?)"} 1
# HELP pidgeon_ready 1 if Dovecot serves, and all its listeners greet.
# TYPE pidgeon_ready gauge
pidgeon_ready 1
# HELP pidgeon_listener_greets 1 if the listener has greeted when it was last asked.
# TYPE pidgeon_listener_greets gauge
pidgeon_listener_greets{listener="imap"} 1
pidgeon_listener_greets{listener="imaps"} 0
# HELP pidgeon_backend_up 1 if this database of AUTH answers.
# TYPE pidgeon_backend_up gauge
pidgeon_backend_up{backend="ldap"} 1
pidgeon_backend_up{backend="sql"} 0
# HELP pidgeon_foreign_refused_total Logins and deliveries refused because the user is another backend's, since the last reload.
# TYPE pidgeon_foreign_refused_total counter
pidgeon_foreign_refused_total{what="login"} 7
pidgeon_foreign_refused_total{what="delivery"} 2
# HELP pidgeon_degraded 1 if Dovecot serves something else than what was asked for last.
# TYPE pidgeon_degraded gauge
pidgeon_degraded 0
# HELP pidgeon_refused Reasons why the last change is not in force.
# TYPE pidgeon_refused gauge
pidgeon_refused 2
# HELP pidgeon_overrides Overrides in force.
# TYPE pidgeon_overrides gauge
pidgeon_overrides 1
# HELP pidgeon_generation_info The configuration in force, with the value 1.
# TYPE pidgeon_generation_info gauge
pidgeon_generation_info{generation="gen-000001"} 1
# HELP pidgeon_last_reload_timestamp_seconds When Dovecot last loaded its configuration.
# TYPE pidgeon_last_reload_timestamp_seconds gauge
pidgeon_last_reload_timestamp_seconds 1795460000
# HELP pidgeon_reloads_total Configurations that Dovecot loaded while running, and changes refused before or by it.
# TYPE pidgeon_reloads_total counter
pidgeon_reloads_total{result="loaded"} 3
pidgeon_reloads_total{result="refused"} 1
# HELP pidgeon_sessions Sessions that are logged in, of all generations.
# TYPE pidgeon_sessions gauge
pidgeon_sessions{protocol="imap"} 90
# HELP pidgeon_sessions_older Of these, sessions from before the last reload, which do not count against the limit.
# TYPE pidgeon_sessions_older gauge
pidgeon_sessions_older{protocol="imap"} 1
# HELP pidgeon_sessions_limit Sessions that are held.
# TYPE pidgeon_sessions_limit gauge
pidgeon_sessions_limit{protocol="imap"} 1000000
pidgeon_sessions_limit{protocol="sieve"} 10
# HELP pidgeon_connections Connections that hold a place, logged in or not, of all generations.
# TYPE pidgeon_connections gauge
pidgeon_connections{protocol="imap"} 95
# HELP pidgeon_connections_limit Connections that are let in; further ones are turned away.
# TYPE pidgeon_connections_limit gauge
pidgeon_connections_limit{protocol="imap"} 112
pidgeon_connections_limit{protocol="sieve"} 20
# HELP pidgeon_container_sessions_limit Sessions of all protocols and generations that the container has room for.
# TYPE pidgeon_container_sessions_limit gauge
pidgeon_container_sessions_limit{limited_by="pids.max"} 44
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &b, want)
	}
	b.Reset()
	exposition{Writer: &b, open: true}.write(d)
	for _, counter := range []string{"pidgeon_reloads", "pidgeon_foreign_refused"} {
		for _, of := range []string{"HELP", "TYPE"} {
			want = strings.ReplaceAll(want, "# "+of+" "+counter+"_total ", "# "+of+" "+counter+" ")
		}
	}
	want += "# EOF\n"
	if b.String() != want {
		t.Errorf("as OpenMetrics, got\n%s\nwant\n%s", &b, want)
	}
}
