package command

import (
	"errors"
	"fmt"

	"pidgeon/finding"
)

// Check prints all findings and a verdict; it exits with 78 if one of them is a fault.
func Check(c Call) int {
	flags := c.flags()
	asJSON, all := flags.Bool("json", false, ""), flags.Bool("all", false, "")
	return c.run(flags, func() error {
		found, summary, err := c.survey(*all)
		if err != nil {
			return err
		}
		if err := c.print(*asJSON, found, "findings"); err != nil {
			return err
		}
		faults := len(found.Faults())
		if faults > 0 {
			summary = fmt.Sprintf("refused: %s, %s", counted(faults, "error"), counted(len(found)-faults, "warning"))
		}
		if !*asJSON {
			fmt.Fprintln(c.Stdout, summary)
		}
		if faults > 0 {
			return failure{code: ExitConfig}
		}
		return nil
	})
}

func counted(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// survey prints the findings of a judgement; JSON has an empty list if there are none.
func (c Call) survey(all bool) (found finding.List, summary string, interrupted error) {
	found = finding.List{}
	err := c.judging(func(j *judgement) error {
		j.request.AllWarnings = all
		v, err := j.verdict()
		if err == nil {
			found = append(found, v.Findings...)
			summary = fmt.Sprintf("fine: Dovecot %s accepts the configuration, with %s", j.Dovecot.Version, counted(len(v.Overrides), "override"))
		}
		return err
	})
	if errors.As(err, new(failure)) {
		return nil, "", err
	}
	return append(found, finding.Of(err)...), summary, nil
}
