package metrics

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// maxRequest bounds a request with all its headers, in bytes. Prometheus sends
// about 300.
const maxRequest = 8 << 10

// readRequest reads a request up to its body. One that cannot be understood comes
// with the status that says so; the error is of the connection.
func readRequest(r io.Reader) (method, path string, refused int, err error) {
	limited := &io.LimitedReader{R: r, N: maxRequest}
	lines := bufio.NewReader(limited)
	first, err := lines.ReadString('\n')
	for line := first; err == nil && strings.TrimRight(line, "\r\n") != ""; {
		line, err = lines.ReadString('\n')
	}
	if err != nil && limited.N == 0 {
		return "", "", 431, nil
	}
	if err != nil {
		return "", "", 0, err
	}
	parts := strings.Split(strings.TrimRight(first, "\r\n"), " ")
	switch {
	case len(parts) != 3 || !strings.HasPrefix(parts[2], "HTTP/"):
		return "", "", 400, nil
	case !strings.HasPrefix(parts[2], "HTTP/1."):
		return "", "", 505, nil
	}
	path, _, _ = strings.Cut(parts[1], "?")
	return parts[0], path, 0, nil
}

// Response is what is answered.
type Response struct {
	Status int
	Type   string // plain text if empty
	Body   string // the status in words if empty
}

var reasons = map[int]string{
	200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed",
	431: "Request Header Fields Too Large", 503: "Service Unavailable", 505: "HTTP Version Not Supported",
}

// write answers; the answer to HEAD has no body.
func write(w io.Writer, r Response, method string) error {
	if r.Type == "" {
		r.Type = "text/plain; charset=utf-8"
	}
	if r.Body == "" {
		r.Body = reasons[r.Status] + "\n"
	}
	text := fmt.Sprintf("HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n",
		r.Status, reasons[r.Status], r.Type, len(r.Body))
	if r.Status == 405 {
		text += "Allow: GET, HEAD\r\n"
	}
	text += "\r\n"
	if method != "HEAD" {
		text += r.Body
	}
	_, err := io.WriteString(w, text)
	return err
}
