package lint

import (
	"pidgeon/dovecot"
	"pidgeon/finding"
)

// AnvilFaults finds a change of service anvil with which the running Dovecot would die; running
// is its Settings.Anvil, empty if none runs. It may name no line: the change can be one that was
// taken away.
func (c *Config) AnvilFaults(s dovecot.Settings, running string) finding.List {
	if running == "" || s.Anvil() == running {
		return nil
	}
	f := finding.Finding{
		Code:    finding.OwnedSetting,
		Problem: "the service anvil would change, and Dovecot's master dies of that at a reload",
		Hint:    "start the container anew with it, or take the change back",
	}
	for s := range c.overrides {
		for in := s.in; s.sets() && in != nil; in = in.around {
			if in == c.service("anvil") {
				f.File, f.Line = s.file.Origin, s.last
			}
		}
	}
	return finding.List{f}
}
