package candidate

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"pidgeon/config"
	"pidgeon/finding"
	"pidgeon/sizing"
)

// Outcome is what came of a judgement.
type Outcome string

const (
	// Passed is a candidate that Dovecot may run.
	Passed Outcome = "passed"
	// Refused is one that is at fault.
	Refused Outcome = "refused"
	// Undecided is one that could not be judged: another time it may pass.
	Undecided Outcome = "undecided"
	// Unchanged is what was judged before.
	Unchanged Outcome = "unchanged"
)

// SourcesID identifies what was judged.
type SourcesID struct {
	Fingerprint     config.Sum `json:"fingerprint"`
	References      []string   `json:"references"` // files elsewhere whose bytes are in the fingerprint
	MountReferences []string   `json:"named"`      // that lie in the mount, and are no overrides
}

// Verdict is what is known of a candidate. It is kept with the last good one.
type Verdict struct {
	Outcome Outcome `json:"outcome"`
	SourcesID
	Trusted      bool `json:"trusted,omitempty"` // it was not judged yet
	WorkedBefore bool `json:"worked,omitempty"`  // it is what last worked
	SourcesMoved bool `json:"moved,omitempty"`   // the sources have changed since they were read
	Slow         bool `json:"slow,omitempty"`    // it took long, and would again

	Dir         string                `json:"dir,omitempty"` // where it lies staged
	Effect      config.Sum            `json:"effect"`        // the same for two that differ in nothing but words
	Demand      []sizing.Protocol     `json:"demand"`
	Listeners   []config.Listener     `json:"listeners"`
	Ceilings    []sizing.Ceiling      `json:"ceilings"`
	Capacity    sizing.Capacity       `json:"capacity"`
	BaseDir     string                `json:"base_dir"`
	StateDir    string                `json:"state_dir"`
	Overrides   []string              `json:"overrides"`         // names in the mount
	CarriedOver []string              `json:"carried,omitempty"` // of them, from 2.3 to 2.4
	Digests     map[string]config.Sum `json:"digests"`           // of the overrides, by the names of their files
	Files       config.Files          `json:"files"`             // without their data

	CertificateExpires time.Time `json:"certificate_expires,omitzero"`

	Backends   BackendLookup `json:"backends,omitzero"` // what the name of them has answered with
	Findings   finding.List  `json:"findings"`
	all        bool          // every line that is warned of is among them
	WatchDirs  []string      `json:"watch_dirs"`
	WatchFiles []string      `json:"watch_files"`
}

// Ports are the listeners' ports, by their names.
func (v Verdict) Ports() map[string]int {
	ports := map[string]int{}
	for _, l := range v.Listeners {
		ports[l.Name] = l.Port
	}
	return ports
}

// What a verdict says is bounded, since files can be wrong in every line.
const (
	maxFindings = 200
	maxProblem  = 1000 // bytes
)

// with is the verdict with findings, and what follows from them.
func (v Verdict) with(found finding.List, failure error) Verdict {
	v.Outcome = Passed
	switch {
	case len(found.Faults()) > 0:
		v.Outcome = Refused
	case failure != nil:
		v.Outcome = Undecided
	}
	if !v.all {
		found = collapsed(found)
	}
	v.Findings = bounded(append(slices.Clip(found), finding.Of(failure)...))
	return v
}

// fewLines is how many lines are warned of for the same reason one by one.
const fewLines = 3

// collapsed has one warning in the place of many lines that are warned of for the same
// reason.
func collapsed(found finding.List) (kept finding.List) {
	lines, told := map[finding.Code]int{}, map[finding.Code]bool{}
	for _, f := range found.Warnings() {
		if f.Line > 0 {
			lines[f.Code]++
		}
	}
	for _, f := range found {
		n := lines[f.Code]
		if !f.Warning || f.Line == 0 || n <= fewLines {
			kept = append(kept, f)
		} else if !told[f.Code] {
			told[f.Code] = true
			f.Problem += fmt.Sprintf(" (%d more lines are such; pidgeon check --all names them)", n-1)
			kept = append(kept, f)
		}
	}
	return kept
}

// bounded keeps the faults rather than the warnings.
func bounded(found finding.List) finding.List {
	kept := slices.Clone(found)
	if len(found) > maxFindings {
		faults, warnings := found.Faults(), found.Warnings()
		faults = faults[:min(len(faults), maxFindings)]
		kept = slices.Concat(warnings[:min(len(warnings), maxFindings-len(faults))], faults)
		kept = append(kept, finding.Finding{
			Code: finding.MoreFaults, Problem: "there are more findings than these", Hint: "correct these and check again", Warning: len(faults) == 0,
		})
	}
	for i, f := range kept {
		if len(f.Problem) > maxProblem {
			kept[i].Problem = strings.ToValidUTF8(f.Problem[:maxProblem], "") + " …"
		}
	}
	return kept
}

// Failure is the verdict where nothing could be judged.
func Failure(err error) Verdict { return Verdict{}.with(nil, err) }
