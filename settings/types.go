package settings

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"pidgeon/config"
	"pidgeon/lazyregexp"
	"pidgeon/sizing"
)

// Sessions is a number of sessions, at least one.
type Sessions int

// maxSessions is far above what one container holds, and small enough that no
// limit derived from it overflows Dovecot's unsigned 32-bit settings.
const maxSessions = 1_000_000

// UnmarshalText accepts 1 to 1,000,000.
func (n *Sessions) UnmarshalText(text []byte) error {
	return unmarshalInt(n, text, 1, maxSessions)
}

// Concurrency is a number of sessions, or 0: as many as there is room for.
type Concurrency int

// Auto is the value that stands for as many as there is room for.
const Auto = "auto"

// UnmarshalText accepts auto and 1 to 1,000,000.
func (n *Concurrency) UnmarshalText(text []byte) error {
	*n = 0
	if strings.EqualFold(strings.TrimSpace(string(text)), Auto) {
		return nil
	}
	return unmarshalInt(n, text, 1, maxSessions)
}

func (n Concurrency) protocol(name string, mode sizing.Mode) sizing.Protocol {
	return sizing.Protocol{Name: name, Sessions: int(n), Auto: n == 0, Mode: mode}
}

// Port is a TCP port; 0 turns the listener off.
type Port int

// UnmarshalText accepts 0 to 65535.
func (p *Port) UnmarshalText(text []byte) error { return unmarshalInt(p, text, 0, 65535) }

// ID is a numeric user or group, never root's.
type ID int

// UnmarshalText accepts 1 to 2³¹-1: Dovecot refuses to read mail as root.
func (i *ID) UnmarshalText(text []byte) error { return unmarshalInt(i, text, 1, math.MaxInt32) }

func unmarshalInt[T ~int](n *T, text []byte, low, high int) error {
	i, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return errors.New("is not a whole number")
	}
	if i < low || i > high {
		return fmt.Errorf("is not between %d and %d", low, high)
	}
	*n = T(i)
	return nil
}

// Size is a number of bytes as Dovecot writes it; empty where none is set.
type Size string

var sizeText = lazyregexp.New(`^[1-9][0-9]{0,5}[KMGT]$`)

// UnmarshalText accepts whole numbers with one of the units K, M, G and T.
func (s *Size) UnmarshalText(text []byte) error {
	size := strings.TrimSuffix(strings.ToUpper(strings.TrimSpace(string(text))), "B")
	if !sizeText.MatchString(size) {
		return errors.New("is not a whole number with one of the units K, M, G and T")
	}
	*s = Size(size)
	return nil
}

// Grace is how long a stop may take.
type Grace time.Duration

// UnmarshalText accepts Go durations (8s, 1m30s) and plain seconds.
func (g *Grace) UnmarshalText(text []byte) error {
	s := strings.TrimSpace(string(text))
	if _, err := strconv.Atoi(s); err == nil {
		s += "s"
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 || d > time.Hour {
		return errors.New("is not a duration between 0s and 1h")
	}
	*g = Grace(d)
	return nil
}

// Path is absolute and made of characters that mean the same to Dovecot, to a
// shell and in a log line.
type Path string

var pathText = lazyregexp.New(`^/[A-Za-z0-9._/@:+,=~-]*$`)

// UnmarshalText refuses relative paths and other characters; it cleans the rest.
func (p *Path) UnmarshalText(text []byte) error {
	if !pathText.Match(text) {
		return errors.New("is not an absolute path of letters, digits and ._/@:+,=~-")
	}
	*p = Path(filepath.Clean(string(text)))
	return nil
}

// Layout is a path with the user's name, or with its local part and domain. One that begins
// with ~ is below the user's home.
type Layout string

var layoutText = lazyregexp.New(`^(?:~$|~?/)(?:[A-Za-z0-9._/@+,~-]|%\{(?:user|username|domain)\})*$`)

// UnmarshalText refuses relative paths, and paths that all users would share.
func (l *Layout) UnmarshalText(text []byte) error {
	home := strings.HasPrefix(string(text), "~")
	switch {
	case !layoutText.Match(text):
		return errors.New("is not a path of letters, digits, ._/@+,~-, %{user}, %{username} and %{domain}")
	case !home && !strings.Contains(string(text), "%{user"):
		return errors.New("has neither %{user} nor %{username}: all users would share it")
	}
	*l = Layout(filepath.Clean(string(text)))
	if *l == "~" {
		*l = "~/"
	}
	return nil
}

// Of is the path of one user.
func (l Layout) Of(user string) string {
	name, domain, _ := strings.Cut(user, "@")
	return strings.NewReplacer("%{user}", user, "%{username}", name, "%{domain}", domain).Replace(string(l))
}

// Host is a host name or an IP address.
type Host string

var hostText = lazyregexp.New(`^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?$`)

const maxHost = 253 // bytes; RFC 1035 has 255 for a name on the wire

// UnmarshalText refuses other texts.
func (h *Host) UnmarshalText(text []byte) error {
	if _, err := parseAddress(string(text)); err != nil && (len(text) > maxHost || !hostText.Match(text)) {
		return errors.New("is not a host name")
	}
	*h = Host(text)
	return nil
}

// parseAddress refuses zones, which may hold any byte, and turns IPv4-mapped addresses into
// IPv4, because Dovecot 2.3 takes their last colon for that of a port.
func parseAddress(text string) (netip.Addr, error) {
	ip, err := netip.ParseAddr(text)
	if err == nil && ip.Zone() != "" {
		err = errors.New("has a zone")
	}
	return ip.Unmap(), err
}

// Delimiter is the set of characters that divide user from detail.
type Delimiter string

var delimiterText = lazyregexp.New(`^[!#$%&'*+/=?^_{|}~.-]{1,8}$`)

// UnmarshalText accepts the punctuation that a mail address may hold (RFC 5322).
func (d *Delimiter) UnmarshalText(text []byte) error {
	// %{ begins a variable in Dovecot 2.4, however it is quoted.
	if !delimiterText.Match(text) || strings.Contains(string(text), "%{") {
		return errors.New("is not made of punctuation that a mail address may hold")
	}
	*d = Delimiter(text)
	return nil
}

// Protocols are the names of Dovecot's protocols that are on.
type Protocols []string

// Has reports whether the protocol is on.
func (p Protocols) Has(name string) bool { return slices.Contains(p, name) }

// UnmarshalText accepts names separated by commas or blanks.
func (p *Protocols) UnmarshalText(text []byte) (err error) {
	var known []string
	for _, protocol := range config.Protocols() {
		known = append(known, protocol.Name)
	}
	*p, err = namesAmong(known, string(text), "protocol")
	slices.Sort(*p)
	return err
}

// namesAmong reads a list of known names, and drops repetitions.
func namesAmong(known []string, text, what string) (names []string, err error) {
	for _, name := range list(strings.ToLower(text)) {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("names %q, which is none of %s", name, strings.Join(known, ", "))
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil, errors.New("names no " + what)
	}
	return names, nil
}

// Addresses are the addresses of listeners.
type Addresses []string

// UnmarshalText accepts IP addresses and *, separated by commas or blanks.
func (a *Addresses) UnmarshalText(text []byte) error {
	*a = nil
	for _, address := range list(string(text)) {
		if address != "*" {
			ip, err := parseAddress(strings.Trim(address, "[]"))
			if err != nil {
				return fmt.Errorf("names %q, which is not an IP address", address)
			}
			address = ip.String()
		}
		*a = append(*a, address)
	}
	if len(*a) == 0 {
		return errors.New("names no address")
	}
	return nil
}

// Networks are networks of addresses, as in 10.0.0.0/8.
type Networks []string

// UnmarshalText accepts networks and addresses, separated by commas or blanks.
func (n *Networks) UnmarshalText(text []byte) error {
	*n = nil
	for _, network := range list(string(text)) {
		prefix, err := netip.ParsePrefix(network)
		if ip, notIP := parseAddress(network); notIP == nil {
			prefix, err = ip.Prefix(ip.BitLen())
		}
		if err != nil {
			return fmt.Errorf("names %q, which is not a network", network)
		}
		*n = append(*n, prefix.Masked().String())
	}
	if len(*n) == 0 {
		return errors.New("names no network")
	}
	return nil
}

func list(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(", \t\n\r", r) })
}
