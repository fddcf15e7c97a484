package settings

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Hosts are names or addresses of hosts.
type Hosts []string

const maxBackends = 64 // a shard table of 256 would be uneven beyond

// numbered is a pattern for several hosts: mail-{0..7}.mail.
var numbered = regexp.MustCompile(`^([^{}]*)\{(\d{1,4})\.\.(\d{1,4})\}([^{}]*)$`)

// UnmarshalText accepts hosts separated by commas or blanks, and patterns for several.
func (h *Hosts) UnmarshalText(text []byte) error {
	*h = nil
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

// Placement is a user whose mail is at a host.
type Placement struct{ User, Host string }

// Placements are users whose mail is elsewhere than their shard's.
type Placements []Placement

// UnmarshalText accepts name=host, one per line or separated by commas.
func (p *Placements) UnmarshalText(text []byte) error {
	*p = nil
	var wrong []string
	for i, entry := range entries(string(text)) {
		name, host, ok := strings.Cut(strings.TrimSpace(entry), "=")
		name = strings.ToLower(name)
		var valid Host
		switch {
		case !ok || !userName.MatchString(name):
			wrong = append(wrong, fmt.Sprintf("entry %d is not user=host", i+1))
		case valid.UnmarshalText([]byte(host)) != nil:
			wrong = append(wrong, fmt.Sprintf("entry %d names no host for %q", i+1, name))
		case slices.ContainsFunc(*p, func(other Placement) bool { return other.User == name }):
			wrong = append(wrong, fmt.Sprintf("entry %d names %q twice", i+1, name))
		default:
			*p = append(*p, Placement{name, host})
		}
	}
	if len(wrong) > 0 {
		return errors.New(strings.Join(wrong, "; "))
	}
	return nil
}
