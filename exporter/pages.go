package exporter

import (
	"context"
	_ "embed"
	"fmt"
	"html/template"
	"net/http"
	"sync"
	"time"

	"pidgeon/status"
)

// source asks PID 1. An answer serves all clients for a while, so that any number
// of them costs it and the user databases no more, and one who hangs up fails nobody.
type source struct {
	runDir   string
	sessions answers
	health   answers
	ready    answers
}

type answers struct {
	mu    sync.Mutex
	asked time.Time
	last  status.Document
	err   error
}

// patience bounds a question, which no client waits for alone.
const patience = 5 * time.Second

func (a *answers) within(age time.Duration, ask func(context.Context) (status.Document, error)) (status.Document, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if time.Since(a.asked) > age {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		a.last, a.err = ask(ctx)
		a.asked = time.Now()
	}
	return a.last, a.err
}

func (s *source) counted() (status.Document, error) {
	return s.sessions.within(time.Second, func(ctx context.Context) (status.Document, error) {
		return status.AskSessions(ctx, s.runDir)
	})
}

// probeAge is how old what a probe is told may be.
const probeAge = 200 * time.Millisecond

func (s *source) ask(ctx context.Context) (status.Document, error) { return status.Ask(ctx, s.runDir) }

func (s *source) askReady(ctx context.Context) (status.Document, error) {
	d, err := s.ask(ctx)
	if err == nil {
		err = d.Unready()
	}
	return d, err
}

func pages(s *source) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		d, err := s.counted()
		if answer(w, err) {
			w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
			_ = page().Execute(w, d)
		}
	})
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		d, err := s.counted()
		if answer(w, err) {
			negotiate(w, r).write(d)
		}
	})
	probe := func(path string, told *answers, ask func(context.Context) (status.Document, error)) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			if _, err := told.within(probeAge, ask); answer(w, err) {
				fmt.Fprintln(w, "OK")
			}
		})
	}
	probe("/healthz", &s.health, s.ask)
	probe("/readyz", &s.ready, s.askReady)
	return mux
}

// answer is a probe's answer: 200, or 503 and the error.
func answer(w http.ResponseWriter, err error) (fine bool) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	}
	return err == nil
}

//go:embed page.html
var text string

// page is parsed only in the process that serves it, to save memory of PID 1.
var page = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("page").Funcs(template.FuncMap{
		"state":  state,
		"moment": func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") },
	}).Parse(text))
})

func state(d status.Document) string {
	switch err := d.Unhealthy(); {
	case err != nil:
		return err.Error()
	case d.Degraded:
		return "serves, but not what was asked for last"
	}
	return "serves"
}
