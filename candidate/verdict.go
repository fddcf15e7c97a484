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

// Outcome is the result of a judgement.
type Outcome string

const (
	// Passed means that Dovecot may run the candidate.
	Passed Outcome = "passed"
	// Refused means that the candidate has faults.
	Refused Outcome = "refused"
	// Undecided means that the judgement failed, and may succeed another time.
	Undecided Outcome = "undecided"
	// Unchanged means that the same sources were judged before.
	Unchanged Outcome = "unchanged"
)

// SourcesID identifies the sources of a judgement.
type SourcesID struct {
	Fingerprint     config.Sum `json:"fingerprint"`
	References      []string   `json:"references"` // files elsewhere whose bytes are in the fingerprint
	MountReferences []string   `json:"named"`      // files of the mount that overrides name and that are no overrides
}

// Verdict is the result of a judgement, and the description of its candidate. A copy is
// kept with the last good configuration.
type Verdict struct {
	Outcome Outcome `json:"outcome"`
	SourcesID
	Trusted      bool `json:"trusted,omitempty"` // started before it was judged
	WorkedBefore bool `json:"worked,omitempty"`  // equal to the last good configuration
	SourcesMoved bool `json:"moved,omitempty"`   // the sources have changed since they were read
	Slow         bool `json:"slow,omitempty"`    // the judgement took long, and would again

	Dir         string                `json:"dir,omitempty"` // where the candidate is staged
	Effect      config.Sum            `json:"effect"`        // equal for candidates that Dovecot understands alike
	Demand      []sizing.Protocol     `json:"demand"`
	Listeners   []config.Listener     `json:"listeners"`
	Ceilings    []sizing.Ceiling      `json:"ceilings"`
	Capacity    sizing.Capacity       `json:"capacity"`
	BaseDir     string                `json:"base_dir"`
	Anvil       string                `json:"anvil"` // Settings.Anvil
	StateDir    string                `json:"state_dir"`
	Overrides   []string              `json:"overrides"`         // names of files in the mount
	CarriedOver []string              `json:"carried,omitempty"` // overrides that were converted from 2.3 to 2.4
	Digests     map[string]config.Sum `json:"digests"`           // of the overrides, by the names of their files
	Files       config.Files          `json:"files"`             // without their data

	CertificateExpires time.Time            `json:"certificate_expires,omitzero"`
	SNIExpires         map[string]time.Time `json:"sni_expires,omitempty"` // of TLS_SNI_DIR, by name

	Backends   BackendLookup `json:"backends,omitzero"`
	Findings   finding.List  `json:"findings"`
	all        bool          // no warnings are collapsed
	hidden     []hiddenValue // not shown in Findings
	WatchDirs  []string      `json:"watch_dirs"`
	WatchFiles []string      `json:"watch_files"`
}

// Ports are the ports of the listeners, by their names.
func (v Verdict) Ports() map[string]int {
	ports := map[string]int{}
	for _, l := range v.Listeners {
		ports[l.Name] = l.Port
	}
	return ports
}

// The findings of a verdict are bounded, because every line of a file can be at fault.
const (
	maxFindings = 200
	maxProblem  = 1000 // bytes
)

// with adds findings to a verdict, and the outcome that follows from them.
func (v Verdict) with(found finding.List, failure error) Verdict {
	v.Outcome = Passed
	switch {
	case len(found.Faults()) > 0:
		v.Outcome = Refused
	case failure != nil:
		v.Outcome = Undecided
	}
	found = hide(append(slices.Clip(found), finding.Of(failure)...), v.hidden)
	if !v.all {
		found = collapsed(found)
	}
	v.Findings = bounded(found)
	return v
}

// fewLines is how many warnings of one code are told line by line. Lines that could go are none
// that an operator has to read.
const fewLines = 3

// collapsed replaces many warnings of one code by the first of them and a number.
func collapsed(found finding.List) (kept finding.List) {
	lines, told := map[finding.Code]int{}, map[finding.Code]bool{}
	for _, f := range found.Warnings() {
		if f.Line > 0 {
			lines[f.Code]++
		}
	}
	for _, f := range found {
		n := lines[f.Code]
		if !f.Warning || f.Line == 0 || n == 1 || n <= fewLines && f.Code != finding.SameValue {
			kept = append(kept, f)
		} else if !told[f.Code] {
			told[f.Code] = true
			f.Problem += fmt.Sprintf(" (%d more lines are such; pidgeon check --all names them)", n-1)
			kept = append(kept, f)
		}
	}
	return kept
}

// bounded drops findings beyond maxFindings, warnings first.
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

// Failure is the verdict of a judgement that could not begin.
func Failure(err error) Verdict { return Verdict{}.with(nil, err) }
