package userdb

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
)

// Introspection is how Dovecot asks the server of OAuth2 whose a token is.
type Introspection struct {
	URLFile string `json:"url_file"` // has the password too, so that not everybody may read it
	Mode    string `json:"mode"`
	CAPath  string `json:"ca_path"`
}

// maxResponse is the longest answer that is read, headers included, in bytes.
const maxResponse = 2 << 20

// noToken is one that nobody has.
const noToken = "pidgeon-probe"

// try asks in the place of Dovecot, because a login with such a token tells less: 2.4.1 gives
// one answer, internal_failure, for a server that knows the token is none and for one that
// answers 401 or 500 (2.3.19 tells them apart by temp_fail). Both answer after 2 s, and each
// further time later, up to more than 15 s.
func (i Introspection) try(ctx context.Context) error {
	text, err := os.ReadFile(i.URLFile)
	if err != nil {
		return nil // this user may not: that the server takes connections has to do
	}
	request, err := i.request(string(text))
	if err != nil {
		return errors.New("OAUTH2_INTROSPECTION_URL cannot be asked: correct it") // err has the password
	}
	conn, err := dial(ctx, request.URL)
	if err != nil {
		return err
	}
	defer conn.Close()
	if request.URL.Scheme == "https" {
		authorities := x509.NewCertPool()
		pem, _ := os.ReadFile(i.CAPath)
		authorities.AppendCertsFromPEM(pem)
		conn = tls.Client(conn, &tls.Config{ServerName: request.URL.Hostname(), RootCAs: authorities})
	}
	if err := request.Write(conn); err != nil {
		return fmt.Errorf("asking the introspection URL: %w", err)
	}
	response, err := http.ReadResponse(bufio.NewReader(io.LimitReader(conn, maxResponse)), request)
	if err != nil {
		return fmt.Errorf("waiting for the introspection URL: %w", err)
	}
	defer response.Body.Close()
	return i.judge(response)
}

func (i Introspection) request(text string) (*http.Request, error) {
	method, form := http.MethodGet, url.Values{}
	switch i.Mode {
	case "post":
		method = http.MethodPost
		form.Set("token", noToken)
	case "get":
		text += noToken
	}
	request, err := http.NewRequest(method, text, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	if user := request.URL.User; user != nil {
		password, _ := user.Password()
		request.SetBasicAuth(user.Username(), password)
	}
	switch i.Mode {
	case "post":
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	case "auth":
		request.Header.Set("Authorization", "Bearer "+noToken)
	}
	return request, nil
}

// judge tells what is wrong with the server from what is wrong with the token: of RFC 7662,
// 401 is for the client's password; where tokens are not posted, it may be for the token.
func (i Introspection) judge(response *http.Response) error {
	posted := i.Mode == "post"
	switch code := response.StatusCode; {
	case posted && (code == http.StatusUnauthorized || code == http.StatusForbidden):
		return fmt.Errorf("the introspection URL answers %s: correct the ID and password in OAUTH2_INTROSPECTION_URL", response.Status)
	case code >= 500, posted && code == http.StatusNotFound:
		return fmt.Errorf("the introspection URL answers %s", response.Status)
	case posted && code == http.StatusOK:
		var fields map[string]any
		if json.NewDecoder(http.MaxBytesReader(nil, response.Body, 1<<20)).Decode(&fields) != nil {
			return errors.New("the introspection URL answers with something else than JSON")
		}
	}
	return nil
}
