package candidate

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"pidgeon/config"
	"pidgeon/container"
	"pidgeon/dovecot"
	"pidgeon/mount"
	"pidgeon/settings"
)

// What a verdict is about is told apart by everything that it depends on, and by
// nothing else.
func TestFingerprint(t *testing.T) {
	named := filepath.Join(t.TempDir(), "named")
	write := func(text string) {
		if err := os.WriteFile(named, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	fresh := func() (Host, Sources) {
		write("a")
		h := Host{
			Version: "1", Dovecot: &dovecot.Dovecot{Version: "2.4.1"}, Templates: fstest.MapFS{"x.conf": {Data: []byte("x")}},
			Facts: container.Facts{Identity: container.Identity{UID: 5}},
		}
		s, err := settings.Load([]string{"IMAP_PORT=1143", "HOSTNAME=one", "MAIL_HOSTNAME=mail"})
		if err != nil {
			t.Fatal(err)
		}
		in := Sources{Settings: s, Overrides: mount.Tree{Conf: config.Files{{Name: "a.conf", Data: []byte("ab")}, {Name: "b.conf", Data: []byte("c")}}}}
		return h, in
	}
	h, in := fresh()
	want := h.fingerprint(in, nil, []string{named})
	for name, tt := range map[string]struct {
		same   bool
		change func(*Host, *Sources)
	}{
		"nothing":                 {true, func(*Host, *Sources) {}},
		"where the mount is":      {true, func(_ *Host, in *Sources) { in.Overrides.Conf[0].Origin = "/elsewhere/a.conf" }},
		"what is ignored":         {true, func(_ *Host, in *Sources) { in.Overrides.Ignored = []mount.Ignored{{Path: "/x", Reason: "hidden"}} }},
		"the name of a container": {true, func(_ *Host, in *Sources) { in.Settings.Environ["HOSTNAME"] = "two" }},
		"a variable":              {false, func(_ *Host, in *Sources) { in.Settings.Environ["IMAP_PORT"] = "2143" }},
		"bytes":                   {false, func(_ *Host, in *Sources) { in.Overrides.Conf[0].Data = []byte("ac") }},
		"a name":                  {false, func(_ *Host, in *Sources) { in.Overrides.Conf[0].Name = "c.conf" }},
		"one less":                {false, func(_ *Host, in *Sources) { in.Overrides.Conf = in.Overrides.Conf[:1] }},
		"where one file ends": {false, func(_ *Host, in *Sources) {
			in.Overrides.Conf[0].Data, in.Overrides.Conf[1].Data = []byte("a"), []byte("bc")
		}},
		"a certificate": {false, func(_ *Host, in *Sources) { in.Certificate.Certificate = []byte("x") }},
		"a key":         {false, func(_ *Host, in *Sources) { in.Certificate.Key = []byte("x") }},
		"a fault": {false, func(_ *Host, in *Sources) {
			in.readOverrides(Live{Running: true, Overrides: map[string]config.Sum{"x": ""}})
		}},
		"a file named":    {false, func(*Host, *Sources) { write("b") }},
		"that file gone":  {false, func(*Host, *Sources) { os.Remove(named) }},
		"this program":    {false, func(h *Host, _ *Sources) { h.Version = "2" }},
		"Dovecot":         {false, func(h *Host, _ *Sources) { h.Dovecot = &dovecot.Dovecot{Version: "2.4.5"} }},
		"our templates":   {false, func(h *Host, _ *Sources) { h.Templates = fstest.MapFS{"x.conf": {Data: []byte("y")}} }},
		"who we are":      {false, func(h *Host, _ *Sources) { h.Facts.Identity.UID = 6 }},
		"what is allowed": {false, func(h *Host, _ *Sources) { h.Facts.Allowed.Processes = 6 }},
	} {
		h, in := fresh()
		tt.change(&h, &in)
		if got := h.fingerprint(in, nil, []string{named}); (got == want) != tt.same {
			t.Errorf("with another %s: the same is %t", name, got == want)
		}
	}
	write("a")
	if h.fingerprint(in, errors.New("x"), []string{named}) == want {
		t.Error("an environment at fault has the fingerprint of a good one")
	}

	// A template may use any variable.
	in.Overrides.Conf[0].Name = "a.conf.tmpl"
	before := h.fingerprint(in, nil, nil)
	in.Settings.Environ["HOSTNAME"] = "two"
	if h.fingerprint(in, nil, nil) == before {
		t.Error("a template does not see another variable")
	}
}
