package lint

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"pidgeon/config"
	"pidgeon/finding"
	"pidgeon/tests/dovecottest"
)

// including parses an override, in which @ is a directory that prepare fills.
func including(t *testing.T, override string, prepare func(write func(name string, data []byte), dir string)) (c *Config, dir string) {
	t.Helper()
	dir = t.TempDir()
	prepare(func(name string, data []byte) {
		dovecottest.Write(t, dir, name, string(data))
	}, dir)
	return Parse(config.Files{{Name: "x.conf", Origin: mine, Override: true, Data: []byte(strings.ReplaceAll(override, "@", dir))}}, "/g"), dir
}

// What is included from elsewhere is bounded as a mount is, and what is too much is one
// finding, which doveconf is not asked about.
func TestIncludedTooMuch(t *testing.T) {
	const hint = ": include only files that belong to the configuration"
	tests := []struct {
		name, override string
		prepare        func(write func(name string, data []byte), dir string)
		lines          int
		want           string
	}{
		{"largest file", "!include @/a\n", func(write func(string, []byte), _ string) {
			write("a", append([]byte("x = 1\n"), bytes.Repeat([]byte("\n"), maxFile-6)...))
		}, 1, ""},
		{"too large", "a = 1\n!include @/a\n", func(write func(string, []byte), _ string) {
			write("a", append([]byte("x = 1\n"), bytes.Repeat([]byte("\n"), maxFile)...))
		}, 1, mine + ":2: the file @/a, which is included here, is larger than 1 MiB" + hint},
		{"most files", "!include @/*\n", func(write func(string, []byte), _ string) {
			for i := range maxFiles {
				write(fmt.Sprintf("%03d", i), []byte("x = 1\n"))
			}
		}, maxFiles, ""},
		{"too many", "!include @/*\n", func(write func(string, []byte), _ string) {
			for i := range maxFiles + 100 {
				write(fmt.Sprintf("%03d", i), []byte("x = 1\n"))
			}
		}, maxFiles, mine + ":1: the file @/256, which is included here, is more than the 256 files that may be included" + hint},
		{"too much", "!include @/*\n", func(write func(string, []byte), _ string) {
			for i := range 10 {
				write(fmt.Sprint(i), append([]byte("x = 1\n"), bytes.Repeat([]byte("\n"), maxFile-6)...))
			}
		}, 8, mine + ":1: the file @/8, which is included here, is too much: what is included is larger than 8 MiB together" + hint},
		{"a FIFO", "!include_try @/a\n", func(_ func(string, []byte), dir string) {
			if err := syscall.Mkfifo(filepath.Join(dir, "a"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, 0, mine + ":1: the file @/a, which is included here, is not a regular file" + hint},
		{
			"braces", "!include_try /x{a,b}{c,d}\n!include_try /x" + strings.Repeat("{a,b}", 30) + "\n", func(func(string, []byte), string) {}, 0,
			mine + ":2: the pattern, with more than 4 braces or 32 commas, stands for too many files" + hint,
		},
		{
			"braces without end", "!include_try /x" + strings.Repeat("{a", maxFile/2) + "\n", func(func(string, []byte), string) {}, 0,
			mine + ":1: the pattern, with more than 4 braces or 32 commas, stands for too many files" + hint,
		},
		{
			"alternatives", "!include_try /x{" + strings.Repeat("a,", maxFile/2) + "}\n", func(func(string, []byte), string) {}, 0,
			mine + ":1: the pattern, with more than 4 braces or 32 commas, stands for too many files" + hint,
		},
		{
			"the whole disk", "!include_try /*/*/*/*/*/*/*\n", func(func(string, []byte), string) {}, 0,
			mine + ":1: the pattern looks through more than 50000 files and directories" + hint,
		},
		{"the whole disk in an included file", "!include @/a\n", func(write func(string, []byte), _ string) {
			write("a", []byte("\n!include /*/*/*/*/*/*/*\n"))
		}, 0, "@/a:2: the pattern looks through more than 50000 files and directories" + hint},
		{"a device in an included file", "!include @/a\n", func(write func(string, []byte), _ string) {
			write("a", []byte("\n!include /dev/zero\n"))
		}, 0, "@/a:2: the file /dev/zero, which is included here, is not a regular file" + hint},
		{"a directory, of which Dovecot speaks", "!include @/*\nx = 1\n", func(_ func(string, []byte), dir string) {
			if err := os.Mkdir(filepath.Join(dir, "a"), 0o700); err != nil {
				t.Fatal(err)
			}
		}, 1, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, dir := including(t, tt.override, tt.prepare)
			found, err := Check(t.Context(), fake("", "", nil), "/g/dovecot.conf", c)
			if want := strings.ReplaceAll(tt.want, "@", dir); err != nil || found.Faults().Error() != want {
				t.Errorf("got %v, %v\nwant %s", found, err, want)
			}
			if faults := found.Faults(); len(faults) > 1 || len(faults) == 1 && faults[0].Code != finding.UnreadableFile {
				t.Errorf("got %q", faults)
			}
			if got := strings.Count(fmt.Sprint(c.Lines()), "{x 1 "); got != tt.lines && tt.want == "" {
				t.Errorf("%d files are read, want %d", got, tt.lines)
			}
		})
	}
}

// A file is read once, however often it is looked at.
func TestIncludedOnce(t *testing.T) {
	c, dir := including(t, "!include @/a\n", func(write func(string, []byte), _ string) { write("a", []byte("x = 1\n")) })
	if err := os.WriteFile(filepath.Join(dir, "a"), []byte("x = 2\ny = 3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	again := parse(config.Files{c.files[0].File}, "/g", c.included)
	if got, want := again.Lines(), c.Lines(); !slices.Equal(got, want) || len(got) != 1 {
		t.Errorf("got %v, want %v", got, want)
	}
}

// Files that an included file names count as those that an override names.
func TestReferences(t *testing.T) {
	c, dir := including(t, strings.Join([]string{
		"ssl_cert = </o/tls.crt", "ssl_server_key_file = \"/o/tls.key\" # c", "ssl_key = <relative", "mail_path = /srv/mail",
		"!include @/a", "!include @/b/*.conf", "!include relative", "# ssl_ca = </o/comment",
		"passdb {", "driver = ldap", "args = /o/ldap.ext", "}", "userdb {", "driver = static", "args = uid=1 home=/srv/%u", "}",
		"userdb {", "driver = passwd-file", "args = /o/passwd", "}", "dict {", "quota = mysql:/o/dict.ext", "expire = proxy:/o/socket:x", "}", "",
	}, "\n"), func(write func(string, []byte), _ string) {
		write("b/x.conf", []byte("# empty\n"))
		write("a", []byte("local_name x {\n  ssl_cert = </a/tls.crt\n}\n!include c\n"))
	})
	want := []string{"/a/tls.crt", "/o/dict.ext", "/o/ldap.ext", "/o/tls.crt", "/o/tls.key", dir + "/a", dir + "/b", dir + "/b/x.conf", dir + "/c"}
	if got := c.References(); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
