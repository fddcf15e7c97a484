package dovecot

import (
	"bytes"
	"fmt"
	"strings"

	"pidgeon/finding"
)

// lint finds what doveconf reports in a way that does not help, or not at all.
func lint(texts Texts) finding.List {
	var found finding.List
	for _, text := range texts {
		if !text.Mine {
			continue
		}
		if bytes.HasPrefix(text.Data, []byte("\ufeff")) {
			found = append(found, finding.Finding{
				File: text.Origin, Line: 1,
				Problem: "the file begins with a byte-order mark, which Dovecot takes for part of the first setting's name",
				Hint:    "save it as UTF-8 without a byte-order mark",
			})
		}
		if i := bytes.IndexByte(text.Data, 0); i >= 0 {
			found = append(found, finding.Finding{
				File: text.Origin, Line: 1 + bytes.Count(text.Data[:i], []byte("\n")),
				Problem: "the line holds a NUL byte, at which Dovecot stops reading it",
				Hint:    "this is not a text file: remove it, or save it as UTF-8",
			})
		}
	}
	return found
}

// hint says what to write instead of what doveconf refused.
func hint(problem, dialect string) string {
	unknown := ""
	if _, name, ok := strings.Cut(problem, "Unknown setting: "); ok {
		name, _, _ = strings.Cut(name, " (")
		unknown = name[strings.LastIndex(name, " ")+1:]
	}
	switch {
	case unknown != "":
		return otherDialect(unknown, dialect)
	case strings.Contains(problem, "Garbage after '{'"):
		return "write the {, each setting and the } on a line of its own"
	case strings.Contains(problem, "Missing '}'"):
		return "close the section that begins here with a } on a line of its own"
	case strings.Contains(problem, "Unexpected '}'"):
		return "remove it, or open its section with {"
	case strings.Contains(problem, "Expecting '{'"):
		return "write setting = value, or name { … }"
	case strings.Contains(problem, "restart_request_count must be higher than 0"):
		return "write restart_request_count = unlimited for what 2.3 called service_count = 0"
	case strings.Contains(problem, "No matches"):
		return "mount the file and write its whole path: a relative one counts from the copy that Dovecot reads"
	case strings.Contains(problem, "No such file"):
		return "mount the file, or correct the path"
	}
	return ""
}

// spellings are settings that differ between the dialects and appear in
// published overrides: 2.3's, then 2.4's.
var spellings = [...][2]string{
	{"service_count", "restart_request_count"},
	{"mail_location", "mail_driver and mail_path"},
	{"ssl_cert", "ssl_server_cert_file"},
	{"ssl_key", "ssl_server_key_file"},
	{"ssl_dh", "ssl_server_dh_file"},
	{"disable_plaintext_auth", "auth_allow_cleartext"},
	{"plugin", "the same settings outside of plugin { }"},
	{"mail_debug", "log_debug"},
	{"auth_debug", "log_debug"},
	{"default_idle_kill", "default_idle_kill_interval"},
	{"idle_kill", "idle_kill_interval"},
}

func otherDialect(name, dialect string) string {
	for _, s := range spellings {
		if dialect == "2.4" && name == s[0] {
			return fmt.Sprintf("in Dovecot 2.4 it is %s", s[1])
		}
		if dialect == "2.3" && strings.HasPrefix(s[1], name) {
			return fmt.Sprintf("this is Dovecot 2.3, where it is %s", s[0])
		}
	}
	return "correct its name, or remove the line"
}
