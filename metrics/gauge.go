package metrics

import "time"

// Gauge is a metric that goes up and down.
func Gauge(name, help string, samples []Sample) Metric {
	return Metric{Name: name, Type: "gauge", Help: help, Samples: samples}
}

// One is a single sample, with the names and values of its labels in turn.
func One(value int, labels ...string) []Sample {
	s := Sample{Value: float64(value)}
	for i := 0; i+1 < len(labels); i += 2 {
		s.Labels = append(s.Labels, Label{Name: labels[i], Value: labels[i+1]})
	}
	return []Sample{s}
}

// Truth is 1 for what is so, and else 0.
func Truth(b bool) []Sample {
	if b {
		return One(1)
	}
	return One(0)
}

// Moment has no sample for what never was.
func Moment(t time.Time) []Sample {
	if t.IsZero() {
		return nil
	}
	return []Sample{{Value: float64(t.Unix())}}
}
