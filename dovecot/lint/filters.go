package lint

import (
	"cmp"
	"net/netip"
	"slices"
)

// Filter is a connection that settings in sections of overrides are for. What none of them
// names is empty.
type Filter struct {
	Local, Remote netip.Addr
	Name          string // that a client asks for in its TLS handshake
	Reference
}

// maxFilters is how many are looked at; each costs a handshake.
const maxFilters = 16

// Filters are the connections for which overrides have settings of their own. The address of
// a host that is given by its name is not known.
func (c *Config) Filters() (found []Filter) {
	seen := map[*section]bool{}
	for s := range c.overrides {
		if seen[s.in] || !s.sets() || len(found) == maxFilters {
			continue
		}
		seen[s.in] = true
		f := Filter{Reference: Reference{File: s.file.Origin, Line: s.last, Override: true}}
		for in := s.in; in != nil; in = in.around {
			switch in.kind {
			case "local":
				f.Local = cmp.Or(f.Local, address(in.name))
			case "remote":
				f.Remote = cmp.Or(f.Remote, address(in.name))
			case "local_name":
				f.Name = cmp.Or(f.Name, in.name)
			}
		}
		same := func(other Filter) bool {
			return other.Local == f.Local && other.Remote == f.Remote && other.Name == f.Name
		}
		if !same(Filter{}) && !slices.ContainsFunc(found, same) {
			found = append(found, f)
		}
	}
	return found
}

// address is one that a filter matches, or none.
func address(filter string) netip.Addr {
	if network, err := netip.ParsePrefix(filter); err == nil {
		return network.Addr()
	}
	one, _ := netip.ParseAddr(filter)
	return one
}
