package command

import (
	"cmp"
	"embed"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"text/template"

	"github.com/Masterminds/sprig/v3"
	"github.com/joho/godotenv"

	"pidgeon/finding"
	"pidgeon/settings"
)

// images has, for each image whose environment is understood, the template of ours.
//
//go:embed from/*.env.tmpl
var images embed.FS

// Env prints the variables as they are set, or what those of another image become here.
func Env(c Call) int {
	flags := c.flags()
	from := flags.String("from", "", "")
	return c.run(flags, func() error {
		if *from != "" {
			return c.envFrom(*from)
		}
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

// envFrom prints what takes the place of another image's environment, which is read as a
// file for Compose, and names what had no part in it. No secret is printed: it belongs
// into a file.
func (c Call) envFrom(image string) error {
	name := "from/" + image + ".env.tmpl"
	page, err := images.ReadFile(name)
	if err != nil {
		known, _ := images.ReadDir("from")
		names := make([]string, len(known))
		for i, file := range known {
			names[i] = strings.TrimSuffix(file.Name(), ".env.tmpl")
		}
		return misuse("env --from takes one of " + strings.Join(names, ", "))
	}
	theirs, err := godotenv.Parse(c.Stdin)
	if err != nil { // the error holds what it could not read
		return failure{ExitConfig, "pidgeon: standard input is not of lines NAME=VALUE, as Compose reads them"}
	}
	unused := maps.Clone(theirs)
	maps.DeleteFunc(unused, func(_, value string) bool { return value == "" })
	their := func(name string) string {
		delete(unused, name)
		return strings.ReplaceAll(theirs[name], "\n", " ")
	}
	var faults finding.List
	functions := sprig.HermeticTxtFuncMap()
	functions["their"] = their
	functions["megabytes"] = func(name, otherwise string) string {
		size, ok := megabytes(cmp.Or(their(name), otherwise))
		if !ok {
			faults = append(faults, finding.Finding{Problem: name + " is not a number of bytes"})
		}
		return size
	}
	err = template.Must(template.New("").Funcs(functions).Parse(string(page))).Execute(c.Stdout, nil)
	switch {
	case err != nil:
		return err
	case len(faults) > 0:
		return faults
	case len(unused) > 0:
		fmt.Fprintln(c.Stdout, "# Not for Dovecot, or without a counterpart:", strings.Join(slices.Sorted(maps.Keys(unused)), " "))
	}
	return nil
}

// megabytes writes a number of bytes in the unit M, rounded up, and none for 0.
func megabytes(bytes string) (size string, ok bool) {
	n, err := strconv.ParseUint(bytes, 10, 62)
	if err != nil || n == 0 {
		return "", err == nil
	}
	return strconv.FormatUint((n+1<<20-1)>>20, 10) + "M", true
}
