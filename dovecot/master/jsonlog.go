package master

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"pidgeon/lazyregexp"
)

// JSONLog makes a JSON object of each line that Dovecot logs, with the process, user, session
// and client address of the line. The time is that of writing, because Dovecot's has neither
// year nor zone.
func JSONLog(w io.Writer) io.Writer {
	return &jsonLog{handler: slog.NewJSONHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug})}
}

type jsonLog struct {
	handler slog.Handler
	begun   []byte // of a line whose end has not come yet
}

// maxBegun bounds a line in bytes; a longer one becomes several.
const maxBegun = 64 << 10

// Write takes lines, or parts of one.
func (j *jsonLog) Write(p []byte) (int, error) {
	for line := range bytes.Lines(p) {
		if j.begun = append(j.begun, line...); line[len(line)-1] == '\n' || len(j.begun) >= maxBegun {
			err := j.handler.Handle(context.Background(), entry(strings.TrimRight(string(j.begun), "\r\n"), time.Now()))
			if j.begun = nil; err != nil {
				return 0, err
			}
		}
	}
	return len(p), nil
}

// "Nov 23 15:20:48 imap(alice)<35><x+y/z>: Info: …" (2.3.19, 2.4.1: the default log_timestamp
// and mail_log_prefix; others are left in the message).
var (
	logLine = lazyregexp.New(timestamp + `([\w-]+)(?:\((.*?)\))?(?:<(\d+)>)?(?:<([^<> ]+)>)?: (Debug|Info|Warning|Error|Fatal|Panic): (.*)$`)
	// For a login Dovecot logs first the name, which is the client's choice, and then its own
	// fields, so the last match is Dovecot's.
	loginUser    = lazyregexp.New(`user=<(.*)>, `)
	loginAddress = lazyregexp.New(`^.*\brip=([0-9a-fA-F.:]+),`)
	loginSession = lazyregexp.New(`session=<([^<> ]+)>$`)
)

// entry parses a line into a record.
func entry(line string, now time.Time) slog.Record {
	found := logLine.FindStringSubmatch(line)
	if found == nil {
		return slog.NewRecord(now, slog.LevelInfo, line, 0)
	}
	process, user, pid, session, severity, message := found[1], found[2], found[3], found[4], found[5], found[6]
	level := map[string]slog.Level{"Debug": slog.LevelDebug, "Info": slog.LevelInfo, "Warning": slog.LevelWarn}
	of, known := level[severity]
	if !known {
		of = slog.LevelError
	}
	said := message
	if severity == "Fatal" || severity == "Panic" {
		message = severity + ": " + message
	}
	record := slog.NewRecord(now, of, message, 0)
	record.Add("process", process)
	if n, err := strconv.Atoi(pid); err == nil {
		record.Add("pid", n)
	}
	for _, fact := range []struct{ name, value string }{
		{"user", cmp.Or(user, part(loginUser, said))},
		{"session", cmp.Or(session, part(loginSession, said))},
		{"remote", part(loginAddress, said)},
	} {
		if fact.value != "" {
			record.Add(fact.name, fact.value)
		}
	}
	return record
}

func part(of *lazyregexp.Regexp, message string) string {
	if found := of.FindStringSubmatch(message); found != nil {
		return found[1]
	}
	return ""
}
