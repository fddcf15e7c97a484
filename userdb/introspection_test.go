package userdb

import (
	"context"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What the token lacks is not the server's fault; without RFC 7662's way, 401 is about it.
func TestIntrospection(t *testing.T) {
	for _, tt := range []struct {
		mode string
		code int
		body string
		want string
	}{
		{"post", 200, `{"active": false}`, ""},
		{"post", 200, "<html>", "the introspection URL answers with something else than JSON"},
		{"post", 400, "{}", ""},
		{"post", 401, "{}", "the introspection URL answers 401 Unauthorized: correct the ID and password in OAUTH2_INTROSPECTION_URL"},
		{"post", 403, "{}", "the introspection URL answers 403 Forbidden: correct the ID and password in OAUTH2_INTROSPECTION_URL"},
		{"post", 404, "", "the introspection URL answers 404 Not Found"},
		{"post", 503, "", "the introspection URL answers 503 Service Unavailable"},
		{"get", 400, "{}", ""},
		{"get", 401, "{}", ""},
		{"get", 500, "", "the introspection URL answers 500 Internal Server Error"},
		{"auth", 401, "", ""},
		{"auth", 502, "", "the introspection URL answers 502 Bad Gateway"},
	} {
		t.Run(tt.mode+" "+http.StatusText(tt.code), func(t *testing.T) {
			var got string
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_ = r.ParseForm()
				_, password, _ := r.BasicAuth()
				got = r.Method + " " + r.URL.RequestURI() + " " + r.PostForm.Encode() + " " + password + strings.TrimPrefix(r.Header.Get("Authorization"), "Basic bWFpbDpodXNo")
				w.WriteHeader(tt.code)
				_, _ = w.Write([]byte(tt.body))
			}))
			server.Config.ErrorLog = log.New(io.Discard, "", 0) // the refused handshake
			server.StartTLS()
			defer server.Close()
			said, err := tried(t, server, tt.mode)
			if err != nil || said != tt.want {
				t.Errorf("got %q, %v, want %q", said, err, tt.want)
			}
			want := map[string]string{
				"post": "POST /introspect?t= token=pidgeon-probe hush",
				"get":  "GET /introspect?t=pidgeon-probe  hush",
				"auth": "GET /introspect?t=  Bearer pidgeon-probe",
			}[tt.mode]
			if got != want {
				t.Errorf("asked %q, want %q", got, want)
			}
		})
	}
}

// tried is what becomes of the server with its certificate, and an error without.
func tried(t *testing.T, server *httptest.Server, mode string) (said string, err error) {
	t.Helper()
	dir := t.TempDir()
	i := Introspection{filepath.Join(dir, "url"), mode, filepath.Join(dir, "ca.crt")}
	for path, text := range map[string]string{
		i.URLFile: strings.Replace(server.URL, "https://", "https://mail:hush@", 1) + "/introspect?t=",
		i.CAPath:  string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})),
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return "", err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := i.try(ctx); err != nil {
		said = err.Error()
	}
	i.CAPath = i.URLFile
	if err := i.try(ctx); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("without its certificate: %v", err)
	}
	return said, nil
}
