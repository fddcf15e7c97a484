package settings

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"pidgeon/lazyregexp"
	"pidgeon/shard"
)

// Hosts are names or addresses of hosts.
type Hosts []string

const maxBackends = 64 // a shard table of 256 would be uneven beyond

// byName is the prefix of a DNS name whose addresses are the backends.
const byName = "dns:"

// numbered is a pattern for several hosts: mail-{0..7}.mail.
var numbered = lazyregexp.New(`^([^{}]*)\{(\d{1,4})\.\.(\d{1,4})\}([^{}]*)$`)

// UnmarshalText accepts hosts separated by commas or blanks, patterns for several, or
// dns: and a name.
func (h *Hosts) UnmarshalText(text []byte) error {
	*h = nil
	if name, ok := strings.CutPrefix(strings.TrimSpace(string(text)), byName); ok {
		if _, err := parseAddress(name); err == nil || !hostText.MatchString(name) || len(name) > maxHost {
			return fmt.Errorf("has %q, which is not a name that DNS has several addresses for", name)
		}
		*h = Hosts{byName + name}
		return nil
	}
	for _, entry := range list(string(text)) {
		names := []string{entry}
		if found := numbered.FindStringSubmatch(entry); found != nil {
			names = nil
			first, _ := strconv.Atoi(found[2])
			last, _ := strconv.Atoi(found[3])
			if last < first || last-first >= maxBackends {
				return fmt.Errorf("has %q, which stands for no number of hosts between 1 and %d", entry, maxBackends)
			}
			for i := first; i <= last; i++ {
				names = append(names, fmt.Sprint(found[1], i, found[4]))
			}
		}
		for _, name := range names {
			var host Host
			switch {
			case host.UnmarshalText([]byte(name)) != nil:
				return fmt.Errorf("has %q, which is not a host name", name)
			case slices.Contains(*h, name):
				return fmt.Errorf("names %q twice", name)
			}
			*h = append(*h, name)
		}
	}
	if len(*h) == 0 || len(*h) > maxBackends {
		return fmt.Errorf("does not name 1 to %d hosts", maxBackends)
	}
	return nil
}

// Placement says which host has the mail of a user, or of a shard that is named shard:63. A
// held one is refused by all backends for the moment.
type Placement struct {
	Name, Host string
	Held       bool
}

// Placements are the exceptions to the hosts that follow from the names.
type Placements []Placement

var (
	shardKey = lazyregexp.New(`^shard:[0-9a-f]{2}$`)
	heldHost = "/held" // behind the host
)

// IsPlacementName reports whether a name is one that a placement can have.
func IsPlacementName(name string) bool {
	return isUserName(name) || shardKey.MatchString(name)
}

// UnmarshalText accepts name=host and name=host/held, one per line or separated by commas.
func (p *Placements) UnmarshalText(text []byte) error {
	*p = nil
	seen := map[string]bool{}
	var wrong wrongEntries
	for i, entry := range entries(string(text)) {
		name, host, ok := strings.Cut(strings.TrimSpace(entry), "=")
		name = strings.ToLower(name)
		host, held := strings.CutSuffix(host, heldHost)
		var valid Host
		switch {
		case !ok || !IsPlacementName(name):
			wrong.add(i, "is neither user=host nor shard:63=host")
		case valid.UnmarshalText([]byte(host)) != nil:
			wrong.add(i, "names no host for %.64q", name)
		case seen[name]:
			wrong.add(i, "names %.64q twice", name)
		default:
			seen[name] = true
			*p = append(*p, Placement{name, host, held})
		}
	}
	return wrong.err()
}

// Find finds the placement of a user or shard:63.
func (p Placements) Find(name string) (Placement, bool) {
	i := slices.IndexFunc(p, func(one Placement) bool { return one.Name == name })
	if i < 0 {
		return Placement{}, false
	}
	return p[i], true
}

// Users are the placements of users.
func (p Placements) Users() Placements {
	return slices.DeleteFunc(slices.Clone(p), func(one Placement) bool { return shardKey.MatchString(one.Name) })
}

// ShardKey is how a placement names a shard.
func ShardKey(n int) string { return "shard:" + shard.Name(n) }

// readBackendsName moves a name of BACKENDS to BackendsName; candidate.LookUpBackends fills
// Backends with its addresses.
func (s *Settings) readBackendsName() {
	if len(s.Backends) == 1 {
		if name, ok := strings.CutPrefix(s.Backends[0], byName); ok {
			s.BackendsName, s.Backends = name, nil
		}
	}
}

// WithBackends returns the settings with the addresses of BackendsName as Backends. A backend
// adds its own address, which the name may not have yet.
func (s Settings) WithBackends(addresses []string) (Settings, error) {
	addresses = slices.Clone(addresses)
	if own, err := parseAddress(string(s.BackendName)); s.Backend() && err == nil {
		s.BackendName = Host(own.String())
		addresses = append(addresses, own.String())
	}
	slices.Sort(addresses)
	if s.Backends = slices.Compact(addresses); len(s.Backends) > maxBackends {
		v, _ := Field("Backends")
		return s, valueFault(v, s.Environ[v.Name], fmt.Sprintf("has %d addresses, more than %d", len(s.Backends), maxBackends), "name the backends one by one, or have fewer")
	}
	return s, nil
}

// NameOf is the name in the certificate of a backend that is known by its address; else it is
// empty.
func (s Settings) NameOf(host string) string {
	if _, err := parseAddress(host); err != nil {
		return ""
	}
	return s.BackendsName
}

// Shards is the table of all shards, with the exceptions of BACKEND_USERS.
func (s Settings) Shards() shard.Table {
	table := shard.Assign(s.Backends)
	for n := range table {
		if p, ok := s.BackendUsers.Find(ShardKey(n)); ok {
			table[n] = p.Host
		}
	}
	return table
}

// WithPlacement is the text of BACKEND_USERS with a placement, or without it if the host
// follows from the name.
func (s Settings) WithPlacement(text string, p Placement) string {
	var lines []string
	for _, entry := range entries(text) {
		if name, _, _ := strings.Cut(strings.TrimSpace(entry), "="); !strings.EqualFold(name, p.Name) {
			lines = append(lines, strings.TrimSpace(entry))
		}
	}
	without := s
	without.BackendUsers = slices.DeleteFunc(slices.Clone(s.BackendUsers), func(one Placement) bool { return one.Name == p.Name })
	asked := (s.Hosts("ldap") || s.Hosts("sql")) && !shardKey.MatchString(p.Name) // a database, which may say otherwise
	if asked || p != without.PlacementOf(p.Name) {
		lines = append(lines, p.String())
	}
	return strings.Join(lines, "\n") + "\n"
}

// String is an entry of BACKEND_USERS.
func (p Placement) String() string {
	if p.Held {
		return p.Name + "=" + p.Host + heldHost
	}
	return p.Name + "=" + p.Host
}

// PlacementOf is where the mail of a user or shard:63 is.
func (s Settings) PlacementOf(name string) Placement {
	if p, ok := s.BackendUsers.Find(name); ok {
		return p
	}
	n := shard.Of(name)
	if key, is := strings.CutPrefix(name, "shard:"); is {
		n = shard.Number(key)
	} else if p, ok := s.BackendUsers.Find(ShardKey(n)); ok {
		return Placement{name, p.Host, p.Held}
	}
	return Placement{Name: name, Host: shard.Assign(s.Backends)[n]}
}

// ServesPlacement reports whether this backend has the mail of a placement and serves it.
func (s Settings) ServesPlacement(p Placement) bool {
	return !p.Held && p.Host == string(s.BackendName)
}
