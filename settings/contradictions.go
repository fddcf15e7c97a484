package settings

import (
	"fmt"
	"reflect"
)

// contradictions finds values that are fine alone and not together. Variables
// that are at fault already are not compared.
func (s Settings) contradictions(faults Faults) Faults {
	var found Faults
	if s.Protocols.Has("submission") && s.RelayHost == "" {
		found = append(found, Fault{"RELAY_HOST", "is not set, and submission is on", "name the host that takes the mail, or take submission out of PROTOCOLS"})
	}
	return append(found, s.portsTwice(faults)...)
}

func (s Settings) portsTwice(faults Faults) Faults {
	wrong := map[string]bool{}
	for _, f := range faults {
		wrong[f.Variable] = true
	}
	var found Faults
	owner := map[int64]string{}
	for _, v := range Variables() {
		if !s.listens(v.listener) || wrong[v.Name] {
			continue
		}
		port := reflect.ValueOf(s).FieldByName(v.field).Int()
		if other := owner[port]; port != 0 && other != "" {
			found = append(found, Fault{v.Name, fmt.Sprintf("is %d, and so is %s", port, other), "give each listener its own port, or 0 to turn it off"})
		}
		owner[port] = v.Name
	}
	return found
}

// listens reports whether there are listeners for a protocol, or for the metrics.
func (s Settings) listens(protocol string) bool {
	return s.Protocols.Has(protocol) || protocol == "metrics"
}
