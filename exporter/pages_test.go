package exporter

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"pidgeon/settings"
	"pidgeon/status"
)

// served are the pages about an entrypoint; of none if there is no snapshot.
func served(t *testing.T, now func() status.Snapshot) (url string) {
	t.Helper()
	server := httptest.NewServer(pages(&source{runDir: controlled(t, now)}))
	t.Cleanup(server.Close)
	return server.URL
}

// controlled is the run directory of an entrypoint.
func controlled(t *testing.T, now func() status.Snapshot) (dir string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "") // short enough for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if now != nil {
		stop, err := status.Listen(dir, now)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(stop)
	}
	return dir
}

// An independent client understands the answers.
func TestPages(t *testing.T) {
	up := served(t, func() status.Snapshot {
		return status.Snapshot{Document: status.Document{
			Version: "1", Dovecot: "2.4.1", Ready: true, Degraded: true, Refused: []string{"/overrides/<script>.conf:3: wrong"},
			Settings: []settings.Setting{{Name: "IMAP_MODE", Value: "secure"}}, Since: time.Unix(1795460000, 0),
		}}
	})
	notReady, none := served(t, func() status.Snapshot { return status.Snapshot{} }), served(t, nil)
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	const plain, html = "text/plain; charset=utf-8", "text/html; charset=utf-8"
	for _, tt := range []struct {
		method, url, body, accept string
		status                    int
		want, kind                string
	}{
		{"GET", up + "/metrics", "", "", 200, "\npidgeon_ready 1\n", textFormat},
		{"GET", up + "/metrics?a=b", "", "*/*", 200, "\npidgeon_ready 1\n", textFormat},
		{"GET", up + "/metrics", "", "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5", 200, "\n# EOF\n", openMetrics},
		{"HEAD", up + "/metrics", "", "", 200, "", textFormat},
		{"GET", up + "/healthz", "", "", 200, "OK\n", plain},
		{"GET", up + "/readyz", "", "", 200, "OK\n", plain},
		{"GET", up + "/", "", "", 200, "<h1 class=\"bad\">serves, but not what was asked for last</h1>", html},
		{"GET", up + "/", "", "", 200, "/overrides/&lt;script&gt;.conf:3: wrong", html},
		{"GET", up + "/", "", "", 200, "<th>IMAP_MODE<td>secure", html},
		{"GET", notReady + "/readyz", "", "", 503, "not ready: Dovecot does not serve yet\n", plain},
		{"GET", notReady + "/healthz", "", "", 200, "OK\n", plain},
		{"GET", notReady + "/", "", "", 200, "not ready: Dovecot does not serve yet</h1>", html},
		{"GET", none + "/healthz", "", "", 503, "asking the running pidgeon: ", plain},
		{"GET", none + "/metrics", "", "", 503, "asking the running pidgeon: ", plain},
		{"GET", up + "/page", "", "", 404, "404 page not found\n", plain},
		{"GET", up + "/healthz/", "", "", 404, "404 page not found\n", plain},
		{"POST", up + "/metrics", strings.Repeat("x", 1000), "", 405, "Method Not Allowed\n", plain},
	} {
		request, err := http.NewRequest(tt.method, tt.url, strings.NewReader(tt.body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Accept", tt.accept)
		response, err := client.Do(request)
		if err != nil {
			t.Errorf("%s %s: %v", tt.method, tt.url, err)
			continue
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if response.StatusCode != tt.status || !strings.Contains(string(body), tt.want) || (tt.want == "") != (len(body) == 0) || err != nil || response.Header.Get("Content-Type") != tt.kind {
			t.Errorf("%s %s: %s, %q (%v), %v", tt.method, tt.url, response.Status, body, err, response.Header)
		}
		if allow := response.Header.Get("Allow"); (allow == "GET, HEAD") != (tt.status == 405) {
			t.Errorf("%s %s: Allow: %q", tt.method, tt.url, allow)
		}
	}
}
