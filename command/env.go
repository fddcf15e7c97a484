package command

import (
	"fmt"
	"text/tabwriter"

	"pidgeon/settings"
)

// Env prints the variables as they are set.
func Env(c Call) int {
	return c.run(c.flags(), func() error {
		s, err := settings.Load(c.Environ)
		table := tabwriter.NewWriter(c.Stdout, 0, 0, 2, ' ', 0)
		defer table.Flush()
		fmt.Fprintln(table, "VARIABLE\tVALUE\tDEFAULT\tMEANING")
		for _, v := range settings.Variables() {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", v.Name, v.Shown(s.Environ[v.Name]), v.Default, v.Doc)
		}
		return err
	})
}
