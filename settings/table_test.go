package settings_test

import (
	"reflect"
	"strings"
	"testing"

	"pidgeon/settings"
)

func TestVariablesAreDocumented(t *testing.T) {
	documented := map[string]settings.Variable{}
	for _, v := range settings.Variables() {
		if documented[v.Name].Name != "" {
			t.Errorf("%s stands twice in the table", v.Name)
		}
		documented[v.Name] = v
	}
	for f := range reflect.TypeFor[settings.Settings]().Fields() {
		name, ok := f.Tag.Lookup("env")
		switch v := documented[name]; {
		case !ok:
			t.Errorf("field %s has no env tag", f.Name)
		case name == "-":
		case v.Doc == "" || v.Example == "":
			t.Errorf("%s (field %s) lacks its doc or its example", name, f.Name)
		case strings.ToUpper(name) != name || strings.HasSuffix(name, "_FILE"):
			t.Errorf("%s (field %s) is no name for a variable", name, f.Name)
		}
	}
}

// companions are what some variables need beside them.
var companions = map[string]string{
	"BACKEND_NAME": "BACKENDS=mail-0.mail", "DOVEADM_PORT": "DOVEADM_PASSWORD=x", "QUOTA_STATUS_PORT": "QUOTA=1G", "PROXY_PROTOCOL": "TRUSTED_NETWORKS=127.0.0.1",
}

func TestVariablesExamplesAreValid(t *testing.T) {
	for _, v := range settings.Variables() {
		t.Run(v.Name, func(t *testing.T) {
			for _, value := range []string{v.Example, v.Default} {
				if strings.HasPrefix(value, "$(") { // what a shell makes of it is
					continue
				}
				companion := companions[v.Name]
				if value == v.Default {
					companion = ""
				}
				s := load(t, v.Name+"="+value, companion)
				if value != "" && s.Environ[v.Name] != value {
					t.Errorf("%s=%s is not in Environ", v.Name, value)
				}
			}
		})
	}
}

// A table that lists a variable which Load ignores would lie.
func TestVariablesAreRead(t *testing.T) {
	for _, v := range settings.Variables() {
		if got := complaints(t, v.Name+"=\x01"); len(got) != 1 || !strings.HasPrefix(got[0], v.Name+" ") {
			t.Errorf("%s with a control character: %q", v.Name, got)
		}
	}
}

func TestAsk(t *testing.T) {
	s := load(t, "PROTOCOLS=imap,lmtp,sieve", "IMAP_CONCURRENCY=7", "IMAP_MODE=secure", "SIEVE_CONCURRENCY=8", "POP3_CONCURRENCY=9")
	var got []string
	for _, p := range s.Demand() {
		got = append(got, p.Name+" "+string(p.Mode))
		if want := map[string]int{"imap": 7, "sieve": 8}[p.Name]; p.Sessions != want {
			t.Errorf("%s asks for %d sessions, want %d", p.Name, p.Sessions, want)
		}
	}
	if got := strings.Join(got, ", "); got != "imap secure, sieve auto" {
		t.Errorf("asked: %s", got)
	}
}
