package lint

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"pidgeon/config"
	"pidgeon/dovecot"
)

// The statements of a file as Dovecot's parser takes them.
func TestLines(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string // setting=value
	}{
		{"plain", "a = b\n", []string{"a=b"}},
		{"comments", "# x = y\na = b # c\nd = \"e # f\" # g\n", []string{"a=b", `d="e # f"`}},
		{"spaces and CRLF", "\ta=b \r\n  c\t=\td\r\n", []string{"a=b", "c=d"}},
		{"continued", "a = b \\\n  c \\\n  d\ne = f\n", []string{"a=b c d", "e=f"}},
		{"sections", "service imap-login {\n  inet_listener imap {\n    port = 1\n  }\n  x = 2\n}\ny = 3\n", []string{"service/imap-login/inet_listener/imap/port=1", "service/imap-login/x=2", "y=3"}},
		{"unnamed", "passdb {\n  driver = pam\n}\npassdb {\n  driver = sql\n}\n", []string{"passdb/#1/driver=pam", "passdb/#2/driver=sql"}},
		{"quoted name", "unix_listener \"/a b\" {\n  mode = 1\n}\n", []string{"unix_listener//a/b/mode=1"}},
		{"from a file", "ssl_cert = < /x\n", []string{"ssl_cert=< /x"}},
		{"unclosed", "service a {\n  x = 1\n", []string{"service/a/x=1"}},
		{"no settings", "}\nfoo\n{\n", nil},
	}
	for _, tt := range tests {
		var got []string
		for _, l := range Parse(config.Files{{Name: "x.conf", Data: []byte(tt.text)}}, "/").Lines() {
			got = append(got, l.Setting+"="+l.Value)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

// What an override includes is read where it is included, and is as much the
// operator's.
func TestLinesIncluded(t *testing.T) {
	dir := t.TempDir()
	elsewhere := filepath.Join(dir, "elsewhere.conf")
	if err := os.WriteFile(elsewhere, []byte("b = 2\n!include "+elsewhere+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	files := config.Files{
		{Name: "main.conf", Origin: "main", Data: []byte("!include o/*.conf\nz = 9\n")},
		{Name: "o/1.conf", Origin: "one", Override: true, Data: []byte("a = 1\n!include " + dir + "/else*.conf\nc = 3\n")},
		{Name: "o/2.conf", Origin: "two", Override: true, Data: []byte("service x {\n")},
		{Name: "o/3.conf", Origin: "three", Override: true, Data: []byte("d = 4\n")},
	}
	want := []Line{
		{"a", "1", "one", 1, true},
		{"b", "2", elsewhere, 1, true},
		{"c", "3", "one", 3, true},
		{"d", "4", "three", 1, true},
		{"z", "9", "main", 2, false},
	}
	if got := Parse(files, "/g").Lines(); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// A certificate belongs to the key beside it, or else to the global one.
func TestPairs(t *testing.T) {
	files := config.Files{
		{Name: "t.conf", Origin: "template", Data: []byte("ssl_cert = </t.crt\nssl_key = </t.key\n")},
		{Name: "o.conf", Origin: "override", Override: true, Data: []byte("ssl_cert = </o.crt\nlocal_name x {\n  ssl_cert = </x.crt\n  ssl_key = </x.key\n}\n")},
	}
	want := []CertificatePair{
		{Reference{"/o.crt", "override", 1, true}, Reference{"/t.key", "template", 2, false}},
		{Reference{"/x.crt", "override", 3, true}, Reference{"/x.key", "override", 4, true}},
	}
	if got := Parse(files, "/g").CertificatePairs(); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// Of a limit of pidgeon's and one of an override that do not go together the override's line
// is at fault, whichever of them Dovecot begins with.
func TestLimitsThatDoNotGoTogether(t *testing.T) {
	c := Parse(config.Files{
		{Name: "dovecot.conf", Origin: "template 60-sizes.conf", Data: []byte("service imap {\n  process_min_avail = 4\n  process_limit = 9\n}\n!include x.conf\n")},
		{Name: "x.conf", Origin: mine, Override: true, Data: []byte("service imap {\n  process_limit = 1\n}\n")},
	}, "/g")
	for _, problem := range []string{"process_min_avail is higher than process_limit", "process_limit is lower than process_min_avail"} {
		if s := c.culprit(dovecot.Complaint{Problem: "service(imap): " + problem}); s == nil || s.file.Origin != mine || s.last != 2 {
			t.Errorf("%s: %+v", problem, s)
		}
	}
}
