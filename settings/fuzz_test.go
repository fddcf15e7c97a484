package settings_test

import (
	"errors"
	"strings"
	"testing"

	"pidgeon/finding"
	"pidgeon/settings"
)

// FuzzLoad: any value of any variable gives settings or faults that name it.
func FuzzLoad(f *testing.F) {
	variables := settings.Variables()
	for i, v := range variables {
		f.Add(i, v.Example)
	}
	for _, value := range []string{
		"", " ", "\n", "\x00", "\xff", "0", "-0", "1e3", "0x10", "١", "+5", "9223372036854775808", "1h0m0.000000001s", "P1D",
		"/", "//", "/..", "/%s", "/$HOME", "/a\n/b", "::1%eth0", "[::]", "1.2.3.4/8", "*", ",", "#", "\"", "\\", "{", "}", "<x", "$", "%",
		"a:b\na:b", "a:{X}", "a:{X}\x7f", "a:\r", ":\n:", "a:b,\nc:d", "ſ:x", "K:x", "tcp://", "udp://x", strings.Repeat("a.", 300),
	} {
		for i := range variables {
			f.Add(i, value)
		}
	}
	f.Fuzz(func(t *testing.T, which int, value string) {
		v := variables[uint(which)%uint(len(variables))]
		s, err := settings.Load([]string{v.Name + "=" + value})
		if err == nil {
			checkUsers(t, s.Users)
			return
		}
		var faults finding.List
		if !errors.As(err, &faults) {
			t.Fatalf("%s=%q: %T", v.Name, value, err)
		}
		for _, fault := range faults {
			if fault.Problem == "" || fault.Hint == "" {
				t.Errorf("%s=%q: a fault without problem or hint: %v", v.Name, value, fault)
			}
		}
	})
}

// checkUsers makes sure that no user can add a line or a field to the file they
// are written to.
func checkUsers(t *testing.T, users settings.Users) {
	t.Helper()
	for _, u := range users {
		if u.Name == "" || strings.Trim(u.Name, "abcdefghijklmnopqrstuvwxyz0123456789._@-") != "" || u.Name[0] == '.' {
			t.Errorf("user name %q", u.Name)
		}
		if !strings.HasPrefix(u.Password, "{") || strings.ContainsFunc(u.Password, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == ':' }) {
			t.Errorf("password %q", u.Password)
		}
	}
}
