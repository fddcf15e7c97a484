package dovecot

import (
	"context"

	"pidgeon/finding"
)

// suggest gives unknown names a hint that needs all known ones, and the code of
// the other dialect to what it knows.
func (d *Dovecot) suggest(ctx context.Context, texts Texts, found finding.List) finding.List {
	if !containsCode(found, finding.UnknownSetting) {
		return found
	}
	defaults, err := d.defaults(ctx)
	if err != nil {
		return found
	}
	statements := texts.statements()
	for i, f := range found {
		name, _ := unknown(f.Problem)
		if f.Code != finding.UnknownSetting {
			continue
		}
		if hint := suggestion(defaults, sectionAt(statements, f), name); hint != "" {
			found[i].Hint = hint
		}
	}
	return found
}

func containsCode(found finding.List, code finding.Code) bool {
	for _, f := range found {
		if f.Code == code {
			return true
		}
	}
	return false
}

// sectionAt is the kind of section that a finding stands in.
func sectionAt(statements []statement, f finding.Finding) string {
	for _, s := range statements {
		if s.text.Origin == f.File && s.last == f.Line {
			return s.around()
		}
	}
	return ""
}
