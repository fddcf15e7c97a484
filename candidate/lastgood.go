package candidate

import (
	"cmp"
	"context"
	"encoding/json"
	"path"
	"regexp"
	"slices"
	"strconv"

	"pidgeon/config"
	"pidgeon/finding"
	"pidgeon/publish"
	"pidgeon/settings"
)

// LastGood is a copy of the configuration that last worked, and what was known of it.
type LastGood struct {
	Files   config.Files
	Verdict Verdict
}

const verdictFile = "verdict.json"

// SaveLastGood keeps the generation in dir, and the verdict on it, as the last good one.
func SaveLastGood(stateDir, dir string, v Verdict) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return publish.SaveLastGood(stateDir, dir, config.File{Name: verdictFile, Data: text})
}

// LoadLastGood reads what SaveLastGood has kept; ok is false if there is none.
func LoadLastGood(stateDir string) (good LastGood, ok bool, err error) {
	files, ok, err := publish.LoadLastGood(stateDir)
	if !ok || err != nil {
		return good, false, err
	}
	_ = json.Unmarshal(files.Data(verdictFile), &good.Verdict) // without it nothing is trusted
	for _, f := range files {
		if f.Name != verdictFile && path.Ext(f.Name) != compiled {
			origin := f.Name
			if i := slices.IndexFunc(good.Verdict.Files, func(of config.File) bool { return of.Name == f.Name }); i >= 0 {
				f.Override, origin = good.Verdict.Files[i].Override, cmp.Or(good.Verdict.Files[i].Origin, origin)
			}
			f.Origin = "last good " + origin
			good.Files = append(good.Files, f)
		}
	}
	if good.Verdict.Digests == nil {
		good.Verdict.Digests = digests(good.Files)
	}
	return good, true, nil
}

// Relocate is what was saved, for the generation dir. It may come from another RUN_DIR or
// STATE_DIR, and uses those of now.
func (g LastGood) Relocate(dir string, s settings.Settings) config.Files {
	files := g.Files.Relocate(dir)
	if s.HasOperatorConfig() {
		return files
	}
	for i := range files {
		for name, place := range map[string]string{"base_dir": s.BaseDir(), "state_dir": s.DovecotState()} {
			line := regexp.MustCompile(`(?m)^` + name + ` = .*$`)
			files[i].Data = line.ReplaceAllLiteral(files[i].Data, []byte(name+" = "+strconv.Quote(place)))
		}
	}
	return files
}

// trust stages what may serve before it is judged, since a judgement takes four times
// as long as Dovecot takes to serve: what has worked before, to the byte, and, where
// nothing has, what holds nothing of the operator's own. What is wrong with the sources
// is for the judgement to say.
func (h Host) trust(ctx context.Context, store *publish.Store, good LastGood, hasGood bool) (Verdict, bool) {
	// One reading will do: what somebody is still writing has not worked before, and
	// what comes later is a change.
	in, err := h.Read(Live{})
	own := len(in.written())
	worked := hasGood && h.fingerprint(in, err, good.Verdict.References) == good.Verdict.Fingerprint
	if err != nil || len(in.Faults) > 0 || !worked && (hasGood || own > 0) {
		return Verdict{}, false
	}
	c, v := Candidate{Dir: store.Next()}, good.Verdict
	if worked {
		c.Files = good.Relocate(c.Dir, in.Settings)
	} else {
		if c, err = h.Build(in, store.Next()); err != nil {
			return Verdict{}, false
		}
		v = h.describe(Verdict{SourcesID: SourcesID{Fingerprint: h.fingerprint(in, nil, nil)}}, c, Interpretation{Listeners: requested(in.Settings)})
		v.Listeners = slices.DeleteFunc(v.Listeners, func(l config.Listener) bool { return l.Port == 0 })
	}
	v = v.with(finding.List(in.Warnings), nil).watching(in)
	v.Trusted, v.WorkedBefore, v.SourcesMoved = true, worked, false
	if _, err = store.Stage(c.Files); err != nil {
		return Verdict{}, false
	}
	v.Dir = c.Dir
	found, err := h.compile(ctx, c)
	return v, err == nil && len(found.Faults()) == 0
}
