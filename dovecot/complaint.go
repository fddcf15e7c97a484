package dovecot

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Complaint is one of doveconf's.
type Complaint struct {
	Fatal   bool
	File    string // as Dovecot reads it
	Line    int    // 0 for one about the whole
	Problem string
}

// Complaints are what doveconf says of the configuration main. An error means that it
// said nothing, or not why it ended with one.
func (d *Dovecot) Complaints(ctx context.Context, main string) ([]Complaint, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errPatience)
	defer cancel()
	cmd := exec.Command(d.Doveconf, "-x", "-n", "-c", main) // with -x its output holds keys and passwords
	var said bytes.Buffer
	cmd.Stderr = &said
	err := d.Run(ctx, cmd)
	complaints := parseComplaints(said.String())
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("checking with doveconf: %w", context.Cause(ctx))
	case err != nil && !slices.ContainsFunc(complaints, func(c Complaint) bool { return c.Fatal }):
		return nil, fmt.Errorf("checking with doveconf: %w", err)
	}
	return complaints, nil
}

var (
	// "doveconf: Fatal: Error in configuration file F line N: …", and without line.
	fatalText = regexp.MustCompile(`(?s)(?:Error in configuration file |: Error: )(\S+?)(?: line (\d+))?: (.*)$`)
	// "doveconf: Warning: [Configuration file ]F line N: …"
	warningText = regexp.MustCompile(`doveconf: Warning: (?:Obsolete setting in |Configuration file )?(/\S+?)(?: line |:)(\d+): (.*)$`)
	startedAt   = regexp.MustCompile(` ?\(section started at (\S+):(\d+)\)`)
)

// parseComplaints reads doveconf's standard error. A sentence that quotes a line end
// goes on in the next line, after another "Fatal:" (2.4.1).
func parseComplaints(said string) []Complaint {
	var all []Complaint
	for line := range strings.Lines(said) {
		line = strings.TrimSpace(line)
		_, fatal, isFatal := strings.Cut(line, "Fatal: ")
		if _, panicked, ok := strings.Cut(line, "Panic: "); ok {
			fatal, isFatal = panicked, true
		}
		switch {
		case isFatal && strings.HasPrefix(fatal, ")") && len(all) > 0:
			all[len(all)-1].Problem += fatal
		case isFatal:
			all = append(all, parseFatal(fatal))
		case strings.Contains(line, "Warning: NOTE: You can get a new clean config file"): // of no use here
		case strings.Contains(line, "Warning: "):
			c := Complaint{Problem: strings.TrimPrefix(line, "doveconf: Warning: ")}
			c.place(warningText.FindStringSubmatch(line))
			all = append(all, c)
		}
	}
	return all
}

func parseFatal(text string) Complaint {
	c := Complaint{Fatal: true, Problem: text}
	c.place(fatalText.FindStringSubmatch(text))
	if m := startedAt.FindStringSubmatch(c.Problem); m != nil {
		c.place(append(m, startedAt.ReplaceAllString(c.Problem, "")))
	}
	return c
}

// place takes file, line and problem from a match.
func (c *Complaint) place(match []string) {
	if match != nil {
		c.File, c.Problem = match[1], match[3]
		c.Line, _ = strconv.Atoi(match[2])
	}
}
