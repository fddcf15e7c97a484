package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"pidgeon/dovecot"
	"pidgeon/finding"
	"pidgeon/settings"
)

// bindable tries each listener before Dovecot does. At the start Dovecot would
// name only the first that fails, and neither the variable nor the reason; on a
// reload its master panics when a service is left without any listener (2.3.19,
// 2.4.1: services_listen_using has closed the old ones by then). A port that is
// taken by ourselves is not at fault: Dovecot closes the old socket first.
func (b builder) bindable(ctx context.Context, listeners []dovecot.Listener) error {
	ours := map[int]bool{}
	for _, l := range b.bound {
		ours[l.Port] = true
	}
	var found finding.List
	for _, l := range listeners {
		for _, address := range l.Addresses {
			f := finding.Finding{Code: finding.CannotListen, Problem: fmt.Sprintf("cannot listen for %s on %s port %d: ", l.Name, address, l.Port)}
			ips, err := b.resolve(ctx, address)
			if err != nil {
				f.Problem, f.Hint = f.Problem+"it has no address", "write an IP address, or * for all of IPv4"
				found = append(found, f)
			}
			for _, ip := range ips {
				err := tryBind(ip, l.Port)
				if err != nil && !(errors.Is(err, syscall.EADDRINUSE) && ours[l.Port]) {
					f.Problem, f.Hint = f.Problem+err.Error(), bindHint(l.Name, err)
					found = append(found, f)
					break
				}
			}
		}
	}
	if len(found) > 0 {
		return found
	}
	return nil
}

// resolve asks for the addresses of a name as Dovecot will: where it gets none, it
// gives up the reload.
func (b builder) resolve(ctx context.Context, address string) ([]string, error) {
	if address == "*" || net.ParseIP(address) != nil {
		return []string{address}, nil
	}
	return b.dovecot.Resolve(ctx, address)
}

// listening returns what the entrypoint that runs in runDir, if there is one, has
// Dovecot listen on.
func listening(runDir string) []dovecot.Listener {
	ctx, cancel := context.WithTimeout(context.Background(), healthPatience)
	defer cancel()
	now, err := ask(ctx, runDir, theState)
	if err != nil {
		return nil
	}
	var listeners []dovecot.Listener
	for name, port := range now.Listeners {
		listeners = append(listeners, dovecot.Listener{Name: name, Port: port})
	}
	return listeners
}

// askedListeners are those that the environment asks for.
func askedListeners(s settings.Settings) []dovecot.Listener {
	all := []dovecot.Listener{
		{Name: "imap", Port: int(s.IMAPPort)},
		{Name: "imaps", Port: int(s.IMAPSPort)},
		{Name: "pop3", Port: int(s.POP3Port)},
		{Name: "pop3s", Port: int(s.POP3SPort)},
		{Name: "lmtp", Port: int(s.LMTPPort)},
		{Name: "sieve", Port: int(s.SievePort)},
		{Name: "submission", Port: int(s.SubmissionPort)},
		{Name: "submissions", Port: int(s.SubmissionsPort)},
	}
	for i := range all {
		all[i].Protocol, all[i].TLS = strings.CutSuffix(all[i].Name, "s")
		all[i].Addresses = s.Listen
	}
	return slices.DeleteFunc(all, func(l dovecot.Listener) bool {
		return !slices.Contains(s.Protocols, l.Protocol) || l.TLS && s.TLS == "no"
	})
}

// withoutIPv6 leaves :: out of the addresses where the container has no IPv6:
// Dovecot would not start, and * was all that could be meant.
func withoutIPv6(addresses settings.Addresses) (settings.Addresses, bool) {
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
	l, err := listenTCP(address, port)
	if err == nil {
		return l.Close()
	}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}

func listenTCP(address string, port int) (net.Listener, error) {
	network := "tcp4"
	switch {
	case address == "*":
		address = "0.0.0.0"
	case net.ParseIP(address).To4() == nil:
		network = "tcp6"
	}
	return net.Listen(network, net.JoinHostPort(address, strconv.Itoa(port)))
}

func bindHint(name string, err error) string {
	variable := strings.ToUpper(name) + "_PORT"
	switch {
	case !slices.ContainsFunc(settings.Variables(), func(v settings.Variable) bool { return v.Name == variable }):
		variable = "its port"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "set LISTEN to an address that this container has"
	}
	if errors.Is(err, syscall.EACCES) {
		return "set " + variable + " above 1023, or allow low ports with the sysctl net.ipv4.ip_unprivileged_port_start=0"
	}
	return "set " + variable + " to another port, or to 0 to turn it off"
}
