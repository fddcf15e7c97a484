package rehearsal

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"

	"pidgeon/config"
	"pidgeon/dovecot/lint"
)

// proxied are listeners for connections whose addresses a line before the handshake names,
// as HAProxy does, because sections such as local and remote ask for addresses that a Unix
// socket does not have. They are on a loopback address that nothing else uses.
type proxied struct {
	filters []lint.Filter
	address string
	ports   map[string]int // by protocol, of those that begin with TLS
}

// prepareProxied finds ports for the protocols that begin with TLS, if the candidate has
// settings for some connections alone.
func (p *private) prepareProxied() {
	if p.OperatorConfig || p.Effective["ssl"] == "no" {
		return
	}
	if p.proxied.filters = p.Config.Filters(); len(p.proxied.filters) == 0 {
		return
	}
	n := rand.Uint32N(1<<24-1<<17) + 1<<16
	p.proxied.address, p.proxied.ports = net.IPv4(127, byte(n>>16), byte(n>>8), byte(n)).String(), map[string]int{}
	for _, l := range p.Effective.Listeners() {
		if !l.TLS || p.proxied.ports[l.Protocol] != 0 || protocolTests[l.Protocol] == nil {
			continue
		}
		if free, err := net.Listen("tcp", net.JoinHostPort(p.proxied.address, "0")); err == nil {
			p.proxied.ports[l.Protocol] = free.Addr().(*net.TCPAddr).Port
			free.Close()
		}
	}
}

// openProxied writes the listeners.
func (p private) openProxied(b *strings.Builder) {
	address := map[string]string{"2.3": "address", "2.4": "listen"}[p.dialect]
	for _, protocol := range config.Protocols() {
		if port := p.proxied.ports[protocol.Name]; port != 0 {
			fmt.Fprintf(b, "service %s {\n  inet_listener pidgeon-rehearsal {\n    %s = %s\n    port = %d\n    ssl = yes\n    haproxy = yes\n  }\n}\n",
				protocol.Login, address, p.proxied.address, port)
		}
	}
	if len(p.proxied.ports) > 0 {
		b.WriteString("haproxy_trusted_networks = 127.0.0.0/8\n")
	}
}

// errFilter is that a connection got no greeting for which the candidate has settings of
// its own.
type errFilter struct {
	lint.Filter
	error
}

// tryFilters asks the listeners that begin with TLS for a greeting, as a client of each
// filter would get it.
func (p private) tryFilters(ctx context.Context) error {
	for _, protocol := range config.Protocols() {
		port := p.proxied.ports[protocol.Name]
		for _, f := range p.proxied.filters {
			header, ok := proxyHeader(f)
			if port == 0 || !ok {
				continue
			}
			if err := p.greet(ctx, port, header, f.Name, protocol.Greeting); err != nil {
				return errFilter{f, fmt.Errorf("%ss greets nobody for whom this section is: %w", protocol.Name, err)}
			}
		}
	}
	return nil
}

func (p private) greet(ctx context.Context, port int, header, name, greeting string) error {
	conn, err := dial(ctx, "tcp", net.JoinHostPort(p.proxied.address, fmt.Sprint(port)))
	if err != nil {
		return err
	}
	return p.converse(ctx, conn, "", func(d *dialogue, _ private) error {
		if _, err := conn.Write([]byte(header)); err != nil {
			return err
		}
		if err := d.secure(name); err != nil {
			return err
		}
		return d.step("", greeting, []string{"* BYE", "-ERR", "4", "5"})
	})
}

// proxyHeader is the line that HAProxy would begin a connection with (its PROXY protocol,
// version 1). One cannot be from an IPv4 address to an IPv6 address.
func proxyHeader(f lint.Filter) (string, bool) {
	family, from, to := "TCP4", netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	if f.Local.Is6() || f.Remote.Is6() {
		family, from, to = "TCP6", netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")
	}
	if f.Remote.IsValid() {
		from = f.Remote
	}
	if f.Local.IsValid() {
		to = f.Local
	}
	return fmt.Sprintf("PROXY %s %s %s 1025 993\r\n", family, from, to), from.Is4() == to.Is4()
}
