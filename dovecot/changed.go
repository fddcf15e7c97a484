package dovecot

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"pidgeon/finding"
)

// ChangedListeners finds what overrides have done to the listeners that were asked
// for. Dovecot takes all of it, and each has its use, but whoever came in through
// such a listener before does not any more. A protocol that is left without any is
// a fault.
func (t Texts) ChangedListeners(s Settings, asked []Listener) finding.List {
	var found finding.List
	closed, open := map[string]finding.Finding{}, map[string]bool{}
	for _, want := range asked {
		l, ok := listenerOf(want.Name)
		if want.Port == 0 || !ok || !s.On(protocolOf(l)) {
			continue
		}
		port, set := s.Int(portSetting(l))
		if !set || port != 0 {
			open[protocolOf(l)] = true
			found = append(found, t.changed(s, l, want, port, set)...)
			continue
		}
		f := t.blamed(portSetting(l), finding.Finding{
			Code: finding.ChangedListener, Warning: true,
			Problem: fmt.Sprintf("the listener %s is off, and %s asks for port %d", want.Name, variableOf(l), want.Port),
			Hint:    "to have it off, set " + variableOf(l) + "=0",
		})
		found, closed[protocolOf(l)] = append(found, f), f
	}
	for _, protocol := range slices.Sorted(maps.Keys(closed)) {
		if f := closed[protocol]; !open[protocol] && protocol != "lmtp" { // which a Unix socket is enough for
			f.Warning, f.Problem = false, "every listener for "+protocol+" that was asked for is off"
			f.Hint = "to have no " + protocol + ", take it out of PROTOCOLS"
			found = append(found, f)
		}
	}
	return found
}

// changed finds a listener that clients do not find, or do not get through.
func (t Texts) changed(s Settings, l [2]string, want Listener, port int, set bool) finding.List {
	var found finding.List
	note := func(setting, problem, hint string) {
		found = append(found, t.blamed(listenerSetting(l, setting), finding.Finding{
			Code: finding.ChangedListener, Warning: true, Problem: "the listener " + want.Name + " " + problem, Hint: hint,
		}))
	}
	if set && port != want.Port {
		note("port", fmt.Sprintf("is on port %d, and %s asks for %d", port, variableOf(l), want.Port), fmt.Sprintf("set %s=%d", variableOf(l), port))
	}
	if s[listenerSetting(l, "haproxy")] == "yes" {
		note("haproxy", "turns away who does not come through a proxy that speaks HAProxy's protocol", "give such a proxy a listener of its own")
	}
	implicit := strings.HasSuffix(l[1], "s")
	switch encrypted := s[listenerSetting(l, "ssl")]; {
	case implicit && encrypted == "no":
		note("ssl", "does not speak TLS, which its clients begin with", "leave the line out, unless a proxy before it ends TLS")
	case !implicit && encrypted == "yes":
		note("ssl", "begins with TLS, which its clients do not expect", "leave the line out: "+l[1]+"s is the listener for that")
	}
	return found
}

func listenerOf(name string) ([2]string, bool) {
	for _, l := range listeners {
		if l[1] == name {
			return l, true
		}
	}
	return [2]string{}, false
}

func listenerSetting(l [2]string, name string) string {
	return "service/" + l[0] + "/inet_listener/" + l[1] + "/" + name
}

// variableOf names the variable that a listener's port comes from.
func variableOf(l [2]string) string { return strings.ToUpper(l[1]) + "_PORT" }
