package candidate

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"syscall"
	"time"

	"pidgeon/config"
	"pidgeon/container"
	"pidgeon/dovecot"
)

// Request is the input of a judging process.
type Request struct {
	Facts    container.Facts   `json:"facts"`
	Fixed    map[string]string `json:"fixed"` // variables that settings.Reload keeps
	Store    string            `json:"store"` // the directory to stage in
	StateDir string            `json:"state_dir"`
	// SelfSigned is the directory of the self-signed certificate.
	SelfSigned string `json:"self_signed"`

	Live              Live        `json:"live"`
	AlreadyJudged     []SourcesID `json:"known"`      // what need not be judged again
	ProvenFingerprint config.Sum  `json:"proven"`     // what has worked, and need not be rehearsed
	LastGood          bool        `json:"good"`       // judge the last good copy in the place of the sources
	Regardless        bool        `json:"regardless"` // stage what was refused, if Dovecot starts with it
	Trust             bool        `json:"trust"`      // no judgement where none is needed before it serves
	AwaitStable       bool        `json:"patient"`    // look whether the sources stay as they are
	AllWarnings       bool        `json:"all"`        // name every line that is warned of
}

// Command is the command of this program that judges; only the program itself calls it.
const Command = "judge"

const (
	// patience bounds a judgement, which takes 0.3 s, and up to 8 s for a rehearsal that
	// hangs and 20 s for each call of doveconf.
	patience   = 2 * time.Minute
	maxVerdict = 1 << 20 // bytes
)

// RunJudge runs a judging process in a session of its own, and returns the last verdict that
// it wrote before its end, however it ended.
func RunJudge(ctx context.Context, run dovecot.Runner, environ []string, r Request) Verdict {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("it takes longer than %v", patience))
	defer cancel()
	request, err := json.Marshal(r)
	if err != nil {
		return Failure(fmt.Errorf("asking for a judgement: %w", err))
	}
	var said boundedBuffer
	cmd := exec.Command("/proc/self/exe", Command)
	cmd.Env, cmd.Stdin, cmd.Stdout = environ, bytes.NewReader(request), &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = run(ctx, cmd)
	verdict, ok := lastVerdict(&said.Buffer)
	if !ok {
		return Failure(fmt.Errorf("judging the configuration: no verdict: %w", err))
	}
	return verdict
}

func lastVerdict(written io.Reader) (verdict Verdict, ok bool) {
	for in := json.NewDecoder(written); ; {
		var v Verdict
		if err := in.Decode(&v); err != nil {
			return verdict, ok
		}
		verdict, ok = v, true
	}
}

type boundedBuffer struct{ bytes.Buffer }

func (l *boundedBuffer) Write(p []byte) (int, error) {
	l.Buffer.Write(p[:min(len(p), maxVerdict-l.Len())])
	return len(p), nil
}
