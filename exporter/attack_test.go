package exporter

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"pidgeon/status"
)

// Who hangs up, or asks without pause, changes nothing of what others are told, and costs
// the entrypoint and its user databases no more than who asks now and then.
func TestHostileClients(t *testing.T) {
	var asked atomic.Int64
	handler := pages(&source{runDir: controlled(t, func() status.Snapshot {
		asked.Add(1)
		return status.Snapshot{Document: status.Document{Version: "1", Dovecot: "2.4.1", Ready: true}}
	})})
	gone, hangUp := context.WithCancel(t.Context())
	hangUp()
	for _, page := range []string{"/", "/metrics", "/healthz", "/readyz"} {
		handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(gone, "GET", page, nil))
		w := httptest.NewRecorder()
		if handler.ServeHTTP(w, httptest.NewRequest("GET", page, nil)); w.Code != http.StatusOK {
			t.Errorf("%s after a client has hung up: %d, %s", page, w.Code, w.Body)
		}
	}
	asked.Store(0)
	for _, page := range []string{"/", "/metrics", "/healthz", "/readyz"} {
		for range 100 {
			handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", page, nil))
		}
	}
	if n := asked.Load(); n > 50 {
		t.Errorf("for 400 clients the entrypoint was asked %d times", n)
	}
}
