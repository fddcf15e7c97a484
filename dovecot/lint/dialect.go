package lint

import (
	"slices"
	"strings"

	"pidgeon/finding"
	"pidgeon/lazyregexp"
)

// otherWords finds statements of overrides in the other dialect: those that doveconf accepts
// with another meaning and, with refused, those that it refuses, so that it need not be asked
// about each.
func (c *Config) otherWords(dialect string, refused bool) finding.List {
	words := (*statement).older
	if dialect == "2.3" {
		words = (*statement).newer
	}
	return c.each(func(s *statement) (f finding.Finding) {
		// A setting of 2.4 may be one of 2.3's too, so there doveconf has to complain first.
		if refused && dialect == "2.4" && (s.sets() || s.kind == opening) {
			if hint := otherDialect(s.around(), s.key, dialect); hint != "" {
				return s.fault(finding.OtherDialect, "Unknown setting: "+s.key, hint)
			}
		}
		if problem, hint := words(s); problem != "" && (refused || s.sets()) {
			f = s.fault(finding.OtherDialect, problem, hint)
			f.Warning = s.cosmetic()
		}
		return f
	})
}

// otherMeaning finds settings of 2.4 that 2.3 accepts with another meaning.
func otherMeaning(s *statement) (f finding.Finding) {
	if !s.sets() {
		return f
	}
	if s.within("service") && s.value == "0" && (s.key == "process_limit" || s.key == "client_limit") {
		return s.warning(finding.OtherMeaning, s.key+" = 0 stands for default_"+s.key, "write the number that is meant")
	}
	if hint := otherDialect("", s.key, "2.3"); hint != "" && s.within("plugin") && !listed(s.key, "same in plugin") && TableRow("settings", "plugin/"+s.key) == nil {
		return s.warning(finding.OtherMeaning, "Dovecot 2.3 knows no "+s.key+", and ignores it in plugin { }", hint)
	}
	return f
}

// newer looks for 2.4's words.
func (s *statement) newer() (problem, hint string) {
	now, old, found := newVariable(s.value)
	switch {
	case s.kind == opening && s.name == "" && listed(s.key, "listed"):
		return "Unknown setting: " + s.key + " { }", "this is Dovecot 2.3, where it is a list: " + s.key + " = name name …"
	case !s.sets():
	case found && !s.secret():
		return "the variable " + now + " is of Dovecot 2.4", "in Dovecot 2.3 it is " + old
	case s.kind == assignment && listed(s.key, "pem") && strings.HasPrefix(s.value, "/"):
		return s.key + " takes the path itself for a certificate or key", "in Dovecot 2.3 write " + s.key + " = <" + s.value
	}
	return "", ""
}

// older looks for 2.3's words.
func (s *statement) older() (problem, hint string) {
	old, now := s.where().oldVariable(s.value)
	reference := reference23.FindStringSubmatch(s.raw)
	switch {
	case s.kind == opening && s.name == "" && listed(s.key, "named"):
		return s.key + " { } is missing section name", "in Dovecot 2.4 it has one: " + s.key + " NAME {"
	case s.kind == opening && s.key == "dict" && s.name == "":
		return "dict { } is missing section name", "in Dovecot 2.4 write dict_server { dict NAME { … } }"
	case s.kind == fromFile && strings.HasSuffix(s.key, "_file"):
		return s.key + " is given the contents of a file in the place of its path", "in Dovecot 2.4 write " + s.key + " = " + s.value
	case s.sets() && s.key == "driver" && Replacement(s.around(), s.value) != "":
		return "there is no " + s.around() + " with driver = " + s.value + " any more", "in Dovecot 2.4 " + Replacement(s.around(), s.value)
	case !s.sets() || s.secret() || s.within("key_field"): // $name is a part of the key there
	case old != "":
		return "the variable " + old + " is of Dovecot 2.3, 2.4 takes it as it stands", now
	case reference != nil && reference[1] == s.key:
		return "$" + s.key + " is of Dovecot 2.3, 2.4 takes it as it stands", "in Dovecot 2.4 write " + s.key + " { name = yes } on three lines, which adds to the list"
	case reference != nil:
		return "$" + reference[1] + " is of Dovecot 2.3, 2.4 takes it as it stands", "in Dovecot 2.4 write $SET:" + reference[1]
	}
	return "", ""
}

var reference23 = lazyregexp.New(`(?:^|\s)\$([a-z]+(?:_[a-z]+)+)(?:\s|$)`)

// cosmetic reports whether a statement decides on nothing but how something looks.
func (s *statement) cosmetic() bool {
	return s.sets() && (strings.Contains(s.key, "log_") || strings.HasPrefix(s.key, "rejection_") || strings.Contains(s.key, "greeting") || strings.HasSuffix(s.key, "_logout_format") || strings.HasSuffix(s.key, "_format_elements"))
}

// secret reports whether a value may hold any characters.
func (s *statement) secret() bool {
	return strings.Contains(s.key, "password") || strings.Contains(s.key, "secret") || strings.HasSuffix(s.key, "_key")
}

var longName = lazyregexp.New(`%\{\s*(\w+)\s*([|}])`)

// oldVariable finds a variable of 2.3 in a value and says what 2.4 has for it.
func (p ValuePlace) oldVariable(value string) (old, hint string) {
	p.ConvertVariables(value, func(was, now string, err error) {
		switch {
		case old != "" || TableRow("rewritten", strings.Trim(was, "%{}")) != nil:
		case err != nil:
			old, hint = was, err.Error()
		default:
			old, hint = was, "in Dovecot 2.4 it is "+now
		}
	})
	return old, hint
}

// newVariable finds a variable of 2.4 in a value and says what 2.3 has for it.
func newVariable(value string) (now, old string, found bool) {
	for _, m := range longName.FindAllStringSubmatchIndex(value, -1) {
		name, whole := value[m[2]:m[3]], value[m[0]:]
		if end := strings.IndexByte(whole, '}'); end > 0 {
			whole = whole[:end+1]
		}
		inner := strings.Join(strings.Fields(strings.ReplaceAll(strings.Trim(whole, "%{}"), "|", " | ")), " ")
		for _, row := range slices.Concat(TableRows("variables"), TableRows("rewritten")) {
			if inner == row[1] && len(row[0]) > 1 {
				return whole, "%{" + row[0] + "}", true
			}
		}
		if value[m[4]] == '|' {
			return whole, "%L" + name[:1] + " and such", true
		}
	}
	return "", "", false
}
