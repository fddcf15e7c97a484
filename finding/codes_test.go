package finding_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"testing"

	"pidgeon/finding"
)

// The code list and docs/findings.md agree.
func TestCodesAreDocumented(t *testing.T) {
	declared := captured(t, "codes.go", `(?m)^\t\w+ +Code = "([a-z-]+)"$`)
	documented := captured(t, "../docs/findings.md", "(?m)^\\| `([a-z-]+)` \\| (?:error|warning) \\| [^|]+ \\| [^|]*\\|$")
	if len(declared) < 30 || !slices.Equal(declared, documented) {
		t.Errorf("declared   %q\ndocumented %q", declared, documented)
	}
}

func captured(t *testing.T, file, pattern string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, m := range regexp.MustCompile(pattern).FindAllSubmatch(text, -1) {
		all = append(all, string(m[1]))
	}
	return all
}

func TestJSON(t *testing.T) {
	got, err := json.Marshal(finding.List{
		{Code: finding.UnknownSetting, File: "/o/x.conf", Line: 3, Problem: "a", Hint: "b"},
		{Code: finding.Remark, Problem: "c", Warning: true},
	})
	want := `[{"code":"unknown-setting","severity":"error","file":"/o/x.conf","line":3,"problem":"a","hint":"b"},` +
		`{"code":"remark","severity":"warning","file":"","line":0,"problem":"c","hint":""}]`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v\nwant %s", got, err, want)
	}
}

func TestSorted(t *testing.T) {
	list := finding.List{{Problem: "last"}, {File: "b", Line: 2, Problem: "2"}, {File: "a", Line: 1, Problem: "3"}, {File: "b", Line: 1, Problem: "1"}}
	if got, want := list.Sorted().Error(), "b:1: 1\nb:2: 2\na:1: 3\nlast"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
