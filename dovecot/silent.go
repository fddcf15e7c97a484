package dovecot

import "pidgeon/finding"

// silent finds what Dovecot accepts without a word and understands in another
// way than it was meant.
func silent(statements []statement, dialect string) finding.List {
	var found finding.List
	for _, s := range statements {
		if !s.text.Mine {
			continue
		}
		if problem, hint := s.foreign(dialect); problem != "" && s.sets() {
			f := s.fault(finding.OtherDialect, problem, hint).Finding
			f.Warning = s.cosmetic()
			found = append(found, f)
		}
		if problem, hint := s.otherMeaning(dialect); problem != "" {
			f := s.fault(finding.OtherMeaning, problem, hint).Finding
			f.Warning = true
			found = append(found, f)
		}
	}
	return found
}

func (s statement) otherMeaning(dialect string) (problem, hint string) {
	switch {
	case dialect == "2.3" && s.sets() && s.within("service") && s.value == "0" && (s.key == "process_limit" || s.key == "client_limit"):
		return s.key + " = 0 stands for default_" + s.key, "write the number that is meant"
	case dialect == "2.3" && s.within("plugin") && s.sets() && otherDialect("", s.key, "2.3") != "":
		return "Dovecot 2.3 knows no " + s.key + ", and ignores it in plugin { }", otherDialect("", s.key, "2.3")
	}
	return "", ""
}
