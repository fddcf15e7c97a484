package sizing

import "slices"

// Ceiling is how many sessions of a protocol a generation of Dovecot's processes
// holds. A reload starts a new generation, and the sessions of older ones do not
// count against its limits.
type Ceiling struct {
	Protocol       string `json:"protocol"`
	Limit          int    `json:"limit"`      // sessions
	MaxConnections int    `json:"places"`     // let in, headroom included; further ones are turned away
	By             string `json:"limited_by"` // the variable, Configuration, or a limit of the container
	Cure           string `json:"cure"`       // what raises the limit
	Ports          []int  `json:"ports"`      // that the protocol is served on
	Proxied        bool   `json:"proxied"`    // its sessions are passed on
}

// Configuration as Ceiling.By is a limit that no variable has set, but an override
// or a last good configuration.
const Configuration = "configuration"

// Capacity is how many sessions of all protocols and generations together the
// container has memory and processes for; zero where nothing limits them.
type Capacity struct {
	Sessions int    `json:"limit"`
	By       string `json:"limited_by"` // pids.max or memory.max
	Cure     string `json:"cure"`       // what raises it
}

// Bound lowers those of the ceilings that are higher than the capacity.
func (c Capacity) Bound(ceilings []Ceiling) []Ceiling {
	bounded := slices.Clone(ceilings)
	for i := range bounded {
		if of := &bounded[i]; c.By != "" && c.Sessions < of.Limit {
			of.Limit, of.MaxConnections, of.By, of.Cure = c.Sessions, c.Sessions, c.By, c.Cure
		}
	}
	return bounded
}

// Ports are those that the protocols are served on.
func Ports(ceilings ...Ceiling) map[int]bool {
	ports := map[int]bool{}
	for _, c := range ceilings {
		for _, port := range c.Ports {
			ports[port] = true
		}
	}
	return ports
}

// Connections adds up the connections to the ports of the protocol.
func (c Ceiling) Connections(byPort map[int]int) (n int) {
	for _, port := range c.Ports {
		n += byPort[port]
	}
	return n
}
