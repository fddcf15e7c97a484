package torture

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// What may come of an override.
const (
	refused  = "refused"  // with a finding that names its file
	applied  = "applied"  // Dovecot was reloaded with it
	idle     = "idle"     // it was taken, and changes nothing
	harmless = "harmless" // applied or idle
	warned   = "warned"   // applied with a warning that names its file: it changes the listener that we log in through
	either   = "either"   // any of these: only that mail goes on counts
	skipped  = "-"        // not for this dialect
)

// override is one entry of the corpus.
type override struct {
	name string // of the file, with its suffix
	want map[string]string
	text string
}

// corpus is everything: what people wrote, and what code made of good overrides.
func corpus(t *testing.T) []override {
	t.Helper()
	all := slices.Concat(written(t), mutations())
	seen := map[string]bool{}
	for _, o := range all {
		if seen[o.name] {
			t.Fatalf("%s is there twice", o.name)
		}
		seen[o.name] = true
	}
	return all
}

// written reads the files in corpus/.
func written(t *testing.T) []override {
	t.Helper()
	files, err := filepath.Glob("corpus/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no corpus", err)
	}
	var all []override
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, section := range txtar.Parse(data).Files {
			o, err := parse(section)
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			all = append(all, o)
		}
	}
	return all
}

// parse reads "-- NAME OUTCOME --" and "-- NAME 2.3=OUTCOME 2.4=OUTCOME --".
func parse(section txtar.File) (override, error) {
	fields := strings.Fields(section.Name)
	o := override{name: fields[0], want: map[string]string{}, text: string(section.Data)}
	if !strings.HasSuffix(o.name, ".tmpl") {
		o.name += ".conf"
	}
	for _, field := range fields[1:] {
		dialect, outcome, one := strings.Cut(field, "=")
		if !one {
			dialect, outcome = "", field
		}
		if !slices.Contains([]string{refused, applied, idle, harmless, warned, either, skipped}, outcome) {
			return o, fmt.Errorf("%s: %q is no outcome", o.name, outcome)
		}
		for _, d := range dialects {
			if dialect == "" || dialect == d {
				o.want[d] = outcome
			}
		}
	}
	if len(o.want) != len(dialects) {
		return o, fmt.Errorf("%s: no outcome for each dialect", o.name)
	}
	return o, nil
}

// fill puts in what differs from run to run.
func (o override) fill(places map[string]string) string {
	text := o.text
	for name, value := range places {
		text = strings.ReplaceAll(text, "@"+name+"@", value)
	}
	return text
}

func TestCorpusIsLarge(t *testing.T) {
	byHand, all := written(t), corpus(t)
	for _, d := range dialects {
		count := 0
		for _, o := range all {
			if o.want[d] != skipped {
				count++
			}
		}
		t.Logf("%s: %d overrides", d, count)
		if count < 300 {
			t.Errorf("%s: %d overrides are less than 300", d, count)
		}
	}
	t.Logf("%d written by hand, %d in all", len(byHand), len(all))
}
