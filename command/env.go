package command

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"pidgeon/settings"
)

// Env prints the variables as they are set.
func Env(c Call) int {
	if code, ok := c.parse(c.flags(), false); !ok {
		return code
	}
	s, err := settings.Load(c.Environ)
	table := tabwriter.NewWriter(c.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "VARIABLE\tVALUE\tDEFAULT\tMEANING")
	for _, v := range settings.Variables() {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", v.Name, shown(v, s.Environ[v.Name]), v.Default, v.Doc)
	}
	table.Flush()
	if err != nil {
		return c.complain(err)
	}
	return 0
}

func shown(v settings.Variable, value string) string {
	if v.Secret && value != "" {
		return "(set)"
	}
	return strings.ReplaceAll(value, "\n", " ")
}
