package candidate

import (
	"strings"
	"testing"

	"pidgeon/config"
	"pidgeon/finding"
	"pidgeon/mount"
	"pidgeon/settings"
)

// What findings quote hides secrets, and variables that the operator's files name.
func TestHiddenValues(t *testing.T) {
	in := Sources{
		Settings: settings.Settings{Environ: map[string]string{
			"DB": "pass.w0rd\n  second line\nx\n", "LONGER": "my pass.w0rd", "REGION": "europe", "SQL_PASSWORD": "sesame", "IMAP_PORT": "10143",
			"USERS": strings.Repeat("alice:secret\n", 5000),
		}},
		Overrides: mount.Tree{Conf: config.Files{{Data: []byte("{{ .Env.DB }} {{ .Env.LONGER }} {{ .Env.IMAP_PORT }}")}}},
	}
	for said, want := range map[string]string{
		"Invalid PASS.W0RD":              "Invalid (the value of DB)",
		"Unknown second line, passxw0rd": "Unknown (the value of DB), passxw0rd",
		"my pass.w0rd":                   "(the value of LONGER)",
		"in europe on 10143, x":          "in europe on 10143, x",
		"sesame is no number":            "(the value of SQL_PASSWORD) is no number",
		"alice:secret":                   "alice:secret", // the settings check USERS, without its values
	} {
		found := hide(finding.List{{Problem: said, Hint: said}}, in.hiddenValues())
		if found[0].Problem != want || found[0].Hint != want {
			t.Errorf("%q: got %q, want %q", said, found[0].Problem, want)
		}
	}
}
