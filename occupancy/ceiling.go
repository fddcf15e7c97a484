package occupancy

// Ceiling is how many sessions of a protocol are held at most, by each generation.
type Ceiling struct {
	Protocol string `json:"protocol"`
	Limit    int    `json:"limit"`      // sessions
	Places   int    `json:"places"`     // connections that are let in, headroom included
	By       string `json:"limited_by"` // the variable, Configuration, or a limit of the container

	Ports []int  `json:"-"`
	Cure  string `json:"-"` // what makes it higher
}

// Configuration is a limit that no variable has set, but an override, or a last
// good configuration.
const Configuration = "configuration"

// Room is what the container has for sessions of all protocols and generations
// together; zero where nothing limits it.
type Room struct {
	Sessions int    `json:"limit"`
	By       string `json:"limited_by"` // pids.max or memory.max

	Cure string `json:"-"` // what makes it larger
}

// Bound lowers the ceilings that are higher than the room.
func (r Room) Bound(ceilings []Ceiling) {
	for i := range ceilings {
		if c := &ceilings[i]; r.By != "" && r.Sessions < c.Limit {
			c.Limit, c.Places, c.By, c.Cure = r.Sessions, r.Sessions, r.By, r.Cure
		}
	}
}

// Ports are those of all the protocols.
func Ports(ceilings ...Ceiling) map[int]bool {
	ports := map[int]bool{}
	for _, c := range ceilings {
		for _, port := range c.Ports {
			ports[port] = true
		}
	}
	return ports
}

// Connections are how many there are to the protocol, of those counted by port.
func (c Ceiling) Connections(byPort map[int]int) (n int) {
	for _, port := range c.Ports {
		n += byPort[port]
	}
	return n
}
