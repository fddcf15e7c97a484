package master

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
)

func TestJSONLog(t *testing.T) {
	for line, want := range map[string]string{
		"Nov 23 15:20:48 imap(alice@example.org)<35><x+y/z>: Info: Disconnected: in=9":                                              `{"level":"INFO","msg":"Disconnected: in=9","pid":35,"process":"imap","session":"x+y/z","user":"alice@example.org"}`,
		"Nov 23 15:20:48 imap-login: Info: Login: user=<alice>, method=PLAIN, rip=2001:db8::1, lip=::1, mpid=9, TLS, session=<a/b>": `{"level":"INFO","msg":"Login: user=<alice>, method=PLAIN, rip=2001:db8::1, lip=::1, mpid=9, TLS, session=<a/b>","process":"imap-login","remote":"2001:db8::1","session":"a/b","user":"alice"}`,
		// A name that lies about the rest.
		"Nov 23 15:20:48 imap-login: Info: Aborted login: user=<x>, rip=6.6.6.6, session=<b>, method=PLAIN, rip=10.0.0.1, lip=10.0.0.2, session=<c>": `{"level":"INFO","msg":"Aborted login: user=<x>, rip=6.6.6.6, session=<b>, method=PLAIN, rip=10.0.0.1, lip=10.0.0.2, session=<c>","process":"imap-login","remote":"10.0.0.1","session":"c","user":"x>, rip=6.6.6.6, session=<b"}`,
		"Nov 23 15:20:48 master: Warning: Killed with signal 15": `{"level":"WARN","msg":"Killed with signal 15","process":"master"}`,
		"2026-11-23 15:20:48 auth: Fatal: no memory":             `{"level":"ERROR","msg":"Fatal: no memory","process":"auth"}`,
		"lmtp(bob)<7><s>: Debug: x":                              `{"level":"DEBUG","msg":"x","pid":7,"process":"lmtp","session":"s","user":"bob"}`,
		"anything \xff \"else\"\x01":                             `{"level":"INFO","msg":"anything \ufffd \"else\"\u0001"}`,
		"":                                                       `{"level":"INFO","msg":""}`,
	} {
		var b bytes.Buffer
		log := JSONLog(&b)
		// A line may come in parts.
		for _, part := range []string{line[:len(line)/2], line[len(line)/2:] + "\n"} {
			if n, err := log.Write([]byte(part)); n != len(part) || err != nil {
				t.Fatal(n, err)
			}
		}
		got, wanted := map[string]any{}, map[string]any{}
		if err := json.Unmarshal(b.Bytes(), &got); err != nil {
			t.Fatalf("%q: %v", &b, err)
		}
		delete(got, "time")
		if err := json.Unmarshal([]byte(want), &wanted); err != nil {
			t.Fatal(err)
		}
		if !maps.Equal(got, wanted) {
			t.Errorf("%s\ngot  %v\nwant %v", line, got, wanted)
		}
	}
}

// Nothing is lost, and nothing kept that has no end.
func TestJSONLogIsWhole(t *testing.T) {
	var b bytes.Buffer
	log := JSONLog(&b)
	for i := range 1000 {
		fmt.Fprintf(log, "Nov 23 15:20:48 auth: Info: %d\nNov 23", i)
		fmt.Fprint(log, " 15:20:48 auth: Info: x\n")
	}
	fmt.Fprint(log, strings.Repeat("y", 3*maxBegun), "the end\n")
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(lines) < 2001 || !strings.Contains(lines[1998], `"msg":"999"`) || !strings.Contains(lines[len(lines)-1], "the end") {
		t.Errorf("%d lines, and last %.200s", len(lines), lines[len(lines)-1])
	}
}
