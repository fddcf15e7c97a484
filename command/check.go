package command

import (
	"errors"
	"fmt"

	"pidgeon/finding"
)

// Check prints every finding; it exits 78 if one of them refuses.
func Check(c Call) int {
	flags := c.flags()
	asJSON := flags.Bool("json", false, "")
	return c.run(flags, func() error {
		found, summary, err := c.survey()
		if err != nil {
			return err
		}
		err = c.print(*asJSON, found, "{{range .Warnings}}warning: {{.}}\n{{end}}")
		switch faults := found.Faults(); {
		case err != nil:
			return err
		case len(faults) > 0 && *asJSON:
			return failure{code: ExitConfig}
		case len(faults) > 0:
			return faults
		case !*asJSON:
			fmt.Fprintln(c.Stdout, summary)
		}
		return nil
	})
}

// survey finds all that is wrong with the sources as they are. JSON has an empty list
// where nothing is.
func (c Call) survey() (found finding.List, summary string, interrupted error) {
	found = finding.List{}
	err := c.judging(func(j *judgement) error {
		v, err := j.verdict()
		if err == nil {
			found = append(found, v.Findings...)
			summary = fmt.Sprintf("fine: Dovecot %s accepts the configuration, with %d overrides", j.Dovecot.Version, len(v.Overrides))
		}
		return err
	})
	if errors.As(err, new(failure)) {
		return nil, "", err
	}
	return append(found, finding.Of(err)...), summary, nil
}
