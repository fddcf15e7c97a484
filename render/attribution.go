package render

import (
	"slices"
	"strings"

	"pidgeon/sizing"
)

// Attribute tells what each line that a template writes depends on: the fields of Data
// in the actions that write it, and in the conditions that decide whether it is there.
// A field is told by its path, Settings.TLS; the key is the file's Origin. It renders
// copies of the templates that name the fields before whatever they write.
func Attribute(in Input) (map[string][][]string, error) {
	in.marked = true
	files, err := Render(in)
	all := map[string][][]string{}
	for _, f := range files {
		lines, fields := [][]string{nil}, ""
		for i, text := range strings.Split(string(f.Data), "\x00") {
			if i%2 == 1 {
				fields = text
				continue
			}
			for j, line := range strings.Split(text, "\n") {
				if j > 0 {
					lines = append(lines, nil)
				}
				// What writes nothing counts for the line that it stands in.
				if blank := strings.TrimSpace(text) == ""; j == 0 && blank || strings.TrimSpace(line) != "" {
					lines[len(lines)-1] = union(lines[len(lines)-1], strings.Fields(fields))
				}
			}
		}
		all[f.Origin] = lines
	}
	return all, err
}

// mark encloses fields in what no environment variable holds. A dot that is a service
// tells which of all of them.
func mark(fields string, dot any) string {
	if service, ok := dot.(sizing.Service); ok {
		fields = strings.ReplaceAll(fields, "Sizes.Services", "Sizes.Service."+service.Name)
	}
	return "\x00" + fields + "\x00"
}

func union(sets ...[]string) []string {
	all := slices.Concat(sets...)
	slices.Sort(all)
	return slices.Compact(all)
}
