package lint

import (
	"regexp"
	"slices"
	"strings"

	"pidgeon/finding"
)

// otherWords finds statements of overrides in the words of the other dialect. With
// refused those are among them that doveconf refuses, so that it need not be asked
// about each; the others it accepts, and they mean something else.
func (c *Config) otherWords(dialect string, refused bool) finding.List {
	words := (*statement).older
	if dialect == "2.3" {
		words = (*statement).newer
	}
	return c.each(func(s *statement) (f finding.Finding) {
		if hint := s.renamed(dialect); hint != "" && refused {
			return s.fault(finding.OtherDialect, "Unknown setting: "+s.key, hint)
		}
		if problem, hint := words(s); problem != "" && (refused || s.sets()) {
			f = s.fault(finding.OtherDialect, problem, hint)
			f.Warning = s.cosmetic()
		}
		return f
	})
}

// renamed looks a statement up in the table. A setting of 2.4 may be one of
// 2.3's too, so there doveconf has to complain first.
func (s *statement) renamed(dialect string) string {
	if dialect == "2.3" || !s.sets() && s.kind != opening {
		return ""
	}
	return otherDialect(s.around(), s.key, dialect)
}

// otherMeaning is what 2.3 understands in another way than it was meant.
func otherMeaning(s *statement) (f finding.Finding) {
	if !s.sets() {
		return f
	}
	if s.within("service") && s.value == "0" && (s.key == "process_limit" || s.key == "client_limit") {
		return s.warning(finding.OtherMeaning, s.key+" = 0 stands for default_"+s.key, "write the number that is meant")
	}
	if hint := otherDialect("", s.key, "2.3"); hint != "" && s.within("plugin") {
		return s.warning(finding.OtherMeaning, "Dovecot 2.3 knows no "+s.key+", and ignores it in plugin { }", hint)
	}
	return f
}

// newer looks for 2.4's words.
func (s *statement) newer() (problem, hint string) {
	_, isList := listed[s.key]
	now, old, found := newVariable(s.value)
	switch {
	case s.kind == opening && isList && s.name == "":
		return "Unknown setting: " + s.key + " { }", "this is Dovecot 2.3, where it is a list: " + s.key + " = name name …"
	case !s.sets():
	case found && !s.secret():
		return "the variable " + now + " is of Dovecot 2.4", "in Dovecot 2.3 it is " + old
	case s.kind == assignment && pemSetting[s.key] && strings.HasPrefix(s.value, "/"):
		return s.key + " takes the path itself for a certificate or key", "in Dovecot 2.3 write " + s.key + " = <" + s.value
	}
	return "", ""
}

// listed are lists of 2.4 that are one line in 2.3.
var listed = map[string]bool{"protocols": true, "mail_plugins": true, "auth_mechanisms": true, "imap_capability": true}

// pemSetting are settings of 2.3 that hold PEM, mostly read from a file with <.
var pemSetting = map[string]bool{"ssl_cert": true, "ssl_key": true, "ssl_ca": true, "ssl_dh": true, "ssl_alt_cert": true, "ssl_alt_key": true, "ssl_client_cert": true, "ssl_client_key": true}

// older looks for 2.3's words.
func (s *statement) older() (problem, hint string) {
	old, now, found := oldVariable(s.value)
	reference := reference23.FindStringSubmatch(s.raw)
	switch {
	case s.kind == opening && s.name == "" && slices.Contains(namedNow, s.key):
		return s.key + " { } is missing section name", "in Dovecot 2.4 it has one: " + s.key + " NAME {"
	case s.kind == opening && s.key == "dict" && s.name == "":
		return "dict { } is missing section name", "in Dovecot 2.4 write dict_server { dict NAME { … } }"
	case s.kind == fromFile && strings.HasSuffix(s.key, "_file"):
		return s.key + " is given the contents of a file in the place of its path", "in Dovecot 2.4 write " + s.key + " = " + s.value
	case !s.sets() || s.secret():
	case found && !slices.Contains(timeFormats, s.key):
		return "the variable " + old + " is of Dovecot 2.3, 2.4 takes it as it stands", "in Dovecot 2.4 it is " + now
	case reference != nil && reference[1] == s.key:
		return "$" + s.key + " is of Dovecot 2.3, 2.4 takes it as it stands", "in Dovecot 2.4 write " + s.key + " { name = yes } on three lines, which adds to the list"
	case reference != nil:
		return "$" + reference[1] + " is of Dovecot 2.3, 2.4 takes it as it stands", "in Dovecot 2.4 write $SET:" + reference[1]
	}
	return "", ""
}

// namedNow are sections that need a name in 2.4.
var namedNow = []string{"passdb", "userdb", "namespace"}

// timeFormats hold the letters of strftime.
var timeFormats = []string{"log_timestamp", "event_exporter_time_format", "time_format"}

var reference23 = regexp.MustCompile(`(?:^|\s)\$([a-z]+(?:_[a-z]+)+)(?:\s|$)`)

// cosmetic tells whether a statement decides on nothing but how something looks.
func (s *statement) cosmetic() bool {
	return s.sets() && (strings.Contains(s.key, "log_") || strings.Contains(s.key, "greeting") || strings.HasSuffix(s.key, "_format_elements"))
}

// secret tells whether a value may hold any characters.
func (s *statement) secret() bool {
	return strings.Contains(s.key, "password") || strings.Contains(s.key, "secret") || strings.HasSuffix(s.key, "_key")
}
