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

// source asks PID 1. It keeps a count for a second, so that many scrapes cost no more than
// one.
type source struct {
	runDir string

	mu      sync.Mutex
	counted time.Time
	last    status.Document
	err     error
}

func (s *source) sessions(ctx context.Context) (status.Document, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.counted) > time.Second {
		s.last, s.err = status.AskSessions(ctx, s.runDir)
		s.counted = time.Now()
	}
	return s.last, s.err
}

func pages(s *source) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		d, err := s.sessions(r.Context())
		if answer(w, err) {
			w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
			_ = page().Execute(w, d)
		}
	})
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		d, err := s.sessions(r.Context())
		if answer(w, err) {
			negotiate(w, r).write(d)
		}
	})
	probe := func(path string, healthy func(status.Document) error) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			d, err := status.Ask(r.Context(), s.runDir)
			if err == nil {
				err = healthy(d)
			}
			if answer(w, err) {
				fmt.Fprintln(w, "OK")
			}
		})
	}
	probe("/healthz", func(status.Document) error { return nil })
	probe("/readyz", status.Document.Unready)
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
