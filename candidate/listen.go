package candidate

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"pidgeon/config"
	"pidgeon/finding"
	"pidgeon/settings"
)

// bindFaults binds to each listener before Dovecot does. At a start Dovecot names only the
// first that fails, without the reason; on a reload its master panics when a service has no
// listener left (2.3.19, 2.4.1: services_listen_using has closed the old ones by then). A
// port of the running Dovecot may be in use, because Dovecot closes the old socket first.
func (h Host) bindFaults(ctx context.Context, c Candidate, listeners, bound []config.Listener) (found finding.List) {
	ours, claimed := map[int]bool{}, map[int][]claim{}
	for _, l := range bound {
		ours[l.Port] = true
	}
	for _, l := range listeners {
		for _, address := range l.Addresses {
			f := finding.Finding{Code: finding.CannotListen, Problem: fmt.Sprintf("cannot listen for %s on %s port %d: ", l.Name, address, l.Port)}
			f.File, f.Line = c.Lint.PortLine(l.Port)
			ips, err := h.resolve(ctx, address)
			if err != nil {
				f.Problem, f.Hint = f.Problem+"it has no address", "write an IP address, or * for all of IPv4"
				found = append(found, f)
			}
			for _, ip := range ips {
				if other := claimant(claimed[l.Port], claim{l.Name, ip}); other != "" {
					f.Problem, f.Hint = f.Problem+other+" has it already", "give each a port of its own"
					found = append(found, f)
					break
				}
				claimed[l.Port] = append(claimed[l.Port], claim{l.Name, ip})
				err := tryBind(ip, l.Port)
				if err != nil && !(errors.Is(err, syscall.EADDRINUSE) && ours[l.Port]) {
					f.Problem, f.Hint = f.Problem+err.Error(), BindHint(l.Name, err)
					if c.Settings.HasOperatorConfig() || f.File != "" {
						f.Hint = lineHint(err)
					}
					found = append(found, f)
					break
				}
			}
		}
	}
	return found
}

// closedListeners warns of listeners that run and that a configuration of the operator's own
// no longer has, whichever line it is that closes them.
func closedListeners(bound, listeners []config.Listener) (found finding.List) {
	for _, l := range bound {
		if !slices.ContainsFunc(listeners, func(other config.Listener) bool { return other.Port == l.Port }) {
			found = append(found, finding.Warn(finding.ChangedListener, "", fmt.Sprintf("the listener %s on port %d goes away", l.Name, l.Port), ""))
		}
	}
	return found
}

// muteListeners warns of listeners that Dovecot opens and greets nobody on, which is as meant
// where a proxy in front ends TLS.
func muteListeners(listeners []config.Listener) finding.List {
	var mute []string
	for _, l := range listeners {
		if l.Mute {
			mute = append(mute, fmt.Sprintf("%s on port %d", l.Name, l.Port))
		}
	}
	if len(mute) == 0 {
		return nil
	}
	return finding.List{finding.Warn(finding.UnusableCertificate, "", "no certificate is set, so nobody is greeted by "+strings.Join(mute, ", "),
		"set one, or port = 0, or leave it where clients use other listeners")}
}

// claim is an address that a listener wants.
type claim struct{ listener, ip string }

// claimant is the other listener that takes the address of one. doveconf finds that only if
// both name the address in the same words, and Dovecot does not start (2.3.19, 2.4.1).
func claimant(claims []claim, c claim) string {
	all := func(ip string) string { // of its family
		if ip == "*" || net.ParseIP(ip).To4() != nil {
			return "*"
		}
		return "::"
	}
	for _, other := range claims {
		same := other.ip == c.ip || all(other.ip) == all(c.ip) && (other.ip == all(c.ip) || c.ip == all(c.ip))
		if same && other.listener != c.listener {
			return other.listener
		}
	}
	return ""
}

// resolve looks up a name as Dovecot does, which gives up a reload if it has no address.
func (h Host) resolve(ctx context.Context, address string) ([]string, error) {
	if address == "*" || net.ParseIP(address) != nil {
		return []string{address}, nil
	}
	return h.Dovecot.Resolve(ctx, address)
}

// requested are the listeners that the environment sets.
func requested(s settings.Settings) []config.Listener {
	ports := map[string]settings.Port{
		"imap": s.IMAPPort, "imaps": s.IMAPSPort, "pop3": s.POP3Port, "pop3s": s.POP3SPort, "lmtp": s.LMTPPort,
		"sieve": s.SievePort, "submission": s.SubmissionPort, "submissions": s.SubmissionsPort,
	}
	var all []config.Listener
	for _, p := range config.Protocols() {
		for _, name := range p.Listeners {
			l := config.Listener{Name: name, Protocol: p.Name, Port: int(ports[name]), Addresses: s.Listen, TLS: name == p.Name+"s", HAProxy: s.ProxyProtocol == "yes" && p.Name != "lmtp"}
			if s.Protocols.Has(p.Name) && !(l.TLS && s.TLS == "no") {
				all = append(all, l)
			}
		}
	}
	if s.QuotaStatusPort != 0 {
		all = append(all, config.Listener{Name: "quota-status", Protocol: "quota", Port: int(s.QuotaStatusPort), Addresses: s.Listen})
	}
	if s.DoveadmPort != 0 && !s.Proxy() {
		all = append(all, config.Listener{Name: "doveadm", Protocol: "doveadm", Port: int(s.DoveadmPort), Addresses: s.Listen, TLS: true})
	}
	if s.AuthPort != 0 {
		all = append(all, config.Listener{Name: "auth", Protocol: "auth", Port: int(s.AuthPort), Addresses: s.Listen})
	}
	return all
}

// WithoutIPv6 drops :: from the addresses if the container has no IPv6, because Dovecot
// would not start.
func WithoutIPv6(addresses settings.Addresses) (settings.Addresses, bool) {
	i := slices.Index(addresses, "::")
	if i < 0 || len(addresses) == 1 {
		return addresses, false
	}
	err := tryBind("::", 0)
	if !errors.Is(err, syscall.EAFNOSUPPORT) && !errors.Is(err, syscall.EADDRNOTAVAIL) {
		return addresses, false
	}
	return slices.Delete(slices.Clone(addresses), i, i+1), true
}

func tryBind(address string, port int) error {
	l, err := Listen(address, port)
	if err == nil {
		return l.Close()
	}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}

// Listen listens on a TCP port of an address of LISTEN.
func Listen(address string, port int) (net.Listener, error) {
	network := "tcp4"
	switch {
	case address == "*":
		address = "0.0.0.0"
	case net.ParseIP(address).To4() == nil:
		network = "tcp6"
	}
	return net.Listen(network, net.JoinHostPort(address, strconv.Itoa(port)))
}

const allowLowPorts = "allow low ports with the sysctl net.ipv4.ip_unprivileged_port_start=0"

// lineHint says what to write in an override if a listener cannot be bound.
func lineHint(err error) string {
	switch {
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "name an address that this container has"
	case errors.Is(err, syscall.EACCES):
		return "name a port above 1023, or " + allowLowPorts
	}
	return "name another port, or 0 to turn it off"
}

// BindHint says which variable to set if a listener cannot be bound.
func BindHint(name string, err error) string {
	variable := strings.ToUpper(strings.ReplaceAll(name, "-", "_")) + "_PORT"
	switch {
	case !slices.ContainsFunc(settings.Variables(), func(v settings.Variable) bool { return v.Name == variable }):
		variable = "its port"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "set LISTEN to an address that this container has"
	}
	if errors.Is(err, syscall.EACCES) {
		return "set " + variable + " above 1023, or " + allowLowPorts
	}
	return "set " + variable + " to another port, or to 0 to turn it off"
}
