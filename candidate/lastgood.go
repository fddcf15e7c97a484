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

// LastGood is a copy of the configuration that last worked, with its verdict.
type LastGood struct {
	Files   config.Files
	Verdict Verdict
}

const verdictFile = "verdict.json"

// SaveLastGood saves the generation in dir, and its verdict, as the last good one.
func SaveLastGood(stateDir, dir string, v Verdict) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return publish.SaveLastGood(stateDir, dir, config.File{Name: verdictFile, Data: text})
}

// LoadLastGood reads what SaveLastGood has saved; ok is false if there is none.
func LoadLastGood(stateDir string) (good LastGood, ok bool, err error) {
	files, ok, err := publish.LoadLastGood(stateDir)
	if !ok || err != nil {
		return good, false, err
	}
	_ = json.Unmarshal(files.Data(verdictFile), &good.Verdict) // without a verdict there is no start on trust
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

// Relocate returns the saved files for the generation dir, with the present RUN_DIR and
// STATE_DIR.
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

// trust stages a configuration that may serve before it is judged, because a judgement takes
// four times as long as a start of Dovecot: one that is equal to the last good one or, where
// there is none, one without files of the operator's. The later judgement reports faults of
// the sources.
func (h Host) trust(ctx context.Context, store *publish.Store, good LastGood, hasGood bool) (Verdict, bool) {
	// One reading is enough, because half-written sources do not equal the last good ones.
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
	v = v.with(finding.List(in.Warnings), nil).withWatchedPaths(in)
	v.Trusted, v.WorkedBefore, v.SourcesMoved = true, worked, false
	if _, err = store.Stage(c.Files); err != nil {
		return Verdict{}, false
	}
	v.Dir = c.Dir
	found, err := h.compile(ctx, c)
	return v, err == nil && len(found.Faults()) == 0
}
