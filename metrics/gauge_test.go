package metrics

import (
	"strings"
	"testing"
	"time"
)

func TestGauge(t *testing.T) {
	var b strings.Builder
	Write(&b, []Metric{
		Gauge("sessions", "many", append(One(3, "protocol", "imap"), One(0, "protocol", "pop3", "by", "x")...)),
		Gauge("yes", "so", Truth(true)),
		Gauge("no", "not so", Truth(false)),
		Gauge("never", "not yet", Moment(time.Time{})),
		Gauge("once", "when", Moment(time.Unix(1795460000, 999))),
	})
	want := `# HELP sessions many
# TYPE sessions gauge
sessions{protocol="imap"} 3
sessions{protocol="pop3",by="x"} 0
# HELP yes so
# TYPE yes gauge
yes 1
# HELP no not so
# TYPE no gauge
no 0
# HELP once when
# TYPE once gauge
once 1795460000
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &b, want)
	}
}
