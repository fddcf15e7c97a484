package command

import (
	"encoding/json"
	"fmt"
	"io"

	"pidgeon/candidate"
	"pidgeon/finding"
)

// Check prints every finding; it exits 78 if one of them refuses.
func Check(c Call) int {
	flags := c.flags()
	asJSON := flags.Bool("json", false, "")
	if code, ok := c.parse(flags, false); !ok {
		return code
	}
	found, summary := c.survey()
	code := 0
	if len(found.Faults()) > 0 {
		code = ExitConfig
	}
	if *asJSON {
		return c.printJSON(found, code)
	}
	for _, f := range found.Warnings() {
		fmt.Fprintln(c.Stdout, "warning:", f)
	}
	for _, f := range found.Faults() {
		fmt.Fprintln(c.Stderr, "error:", f)
	}
	if code == 0 {
		fmt.Fprintln(c.Stdout, summary)
	}
	return code
}

// survey finds all that is wrong with the sources as they are.
func (c Call) survey() (found finding.List, summary string) {
	t, err := c.open()
	if err != nil {
		return finding.Of(err), ""
	}
	defer t.close()
	v, err := t.judge()
	if err != nil {
		return finding.Of(err), ""
	}
	return v.Findings, fmt.Sprintf("fine: Dovecot %s accepts the configuration, with %d overrides", t.Dovecot.Version, len(v.Overrides))
}

// printJSON prints an array, also where nothing was found.
func (c Call) printJSON(found finding.List, code int) int {
	if found == nil {
		found = finding.List{}
	}
	if err := writeJSON(c.Stdout, found); err != nil {
		return c.complain(err)
	}
	return code
}

func writeJSON(w io.Writer, v any) error {
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	out.SetEscapeHTML(false)
	return out.Encode(v)
}

// passed is the error of a verdict that is not a good one.
func passed(v candidate.Verdict) error {
	if faults := v.Findings.Faults(); len(faults) > 0 {
		return faults
	}
	return nil
}
