// Package metrics speaks to those who measure: the text format of Prometheus, and
// as much of HTTP as its scrapers and the probes of Kubernetes use. What there is
// to measure is for others.
//
// The standard net/http would make the program 1.3 MB larger, and Prometheus' own
// client 3.8 MB, in a program of 9 MB that is PID 1 (docs/dependencies.md).
package metrics

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Metric is a metric and its samples.
type Metric struct {
	Name    string
	Type    string // gauge or counter
	Help    string
	Samples []Sample
}

// Sample is a value, and the labels that tell it from others of its metric.
type Sample struct {
	Labels []Label
	Value  float64
}

// Label is a name and a value, which may be any text.
type Label struct{ Name, Value string }

// ContentType is that of what Write writes
// (https://prometheus.io/docs/instrumenting/exposition_formats).
const ContentType = "text/plain; version=0.0.4; charset=utf-8"

// Write writes metrics; those without a sample are left out.
func Write(w io.Writer, metrics []Metric) {
	for _, m := range metrics {
		if len(m.Samples) == 0 {
			continue
		}
		fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s %s\n", m.Name, inHelp.Replace(m.Help), m.Name, m.Type)
		for _, s := range m.Samples {
			fmt.Fprintf(w, "%s%s %s\n", m.Name, labels(s.Labels), strconv.FormatFloat(s.Value, 'f', -1, 64))
		}
	}
}

var (
	inHelp  = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	inLabel = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
)

func labels(all []Label) string {
	if len(all) == 0 {
		return ""
	}
	pairs := make([]string, len(all))
	for i, l := range all {
		pairs[i] = l.Name + `="` + inLabel.Replace(strings.ToValidUTF8(l.Value, "?")) + `"`
	}
	return "{" + strings.Join(pairs, ",") + "}"
}
