package metrics

import (
	"strings"
	"testing"
)

func TestWrite(t *testing.T) {
	var b strings.Builder
	Write(&b, []Metric{
		{"up", "gauge", "is it", []Sample{{nil, 1}}},
		{"none", "gauge", "nothing to say", nil},
		{"sessions", "gauge", "back\\slash\nand line", []Sample{
			{[]Label{{"protocol", "imap"}}, 1000000},
			{[]Label{{"protocol", "a\"b\\c\nd"}, {"x", "\xff"}}, 1.5},
		}},
		{"at_seconds", "gauge", "when", []Sample{{nil, 1795460000}}},
	})
	want := `# HELP up is it
# TYPE up gauge
up 1
# HELP sessions back\\slash\nand line
# TYPE sessions gauge
sessions{protocol="imap"} 1000000
sessions{protocol="a\"b\\c\nd",x="?"} 1.5
# HELP at_seconds when
# TYPE at_seconds gauge
at_seconds 1795460000
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &b, want)
	}
}
