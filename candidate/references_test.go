package candidate

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"pidgeon/certificate"
	"pidgeon/dovecot/lint"
)

// Pairs that overrides name: a foreign key is a fault of the line that names it.
func TestCheckPairs(t *testing.T) {
	dir := t.TempDir()
	paths := map[string]string{}
	for _, name := range []string{"a", "b"} {
		pair, err := certificate.SelfSigned(filepath.Join(dir, name), name, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		for ext, data := range map[string][]byte{".crt": pair.Certificate, ".key": pair.Key} {
			paths[name+ext] = filepath.Join(dir, name+ext)
			if err := os.WriteFile(paths[name+ext], data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	at := func(name string, line int) lint.Reference {
		return lint.Reference{Path: paths[name], File: "/overrides/x.conf", Line: line, Override: true}
	}
	for _, tt := range []struct {
		cert, key string
		now       time.Time
		want      string
	}{
		{"a.crt", "a.key", time.Now(), ""},
		{"a.crt", "b.key", time.Now(), "foreign-key /overrides/x.conf:2"},
		{"a.crt", "a.key", time.Now().AddDate(100, 0, 0), "expired-certificate /overrides/x.conf:1"},
		{"a.crt", "none", time.Now(), ""}, // Dovecot says so
	} {
		got := ""
		for _, f := range checkPairs([]lint.CertificatePair{{Certificate: at(tt.cert, 1), Key: at(tt.key, 2)}}, tt.now) {
			got += string(f.Code) + " " + f.Place()
		}
		if got != tt.want {
			t.Errorf("%s with %s: got %q, want %q", tt.cert, tt.key, got, tt.want)
		}
	}
}
