package render

import (
	"bytes"
	"errors"
	"text/template"

	"pidgeon/config"
)

// maxOutput bounds one rendered file, in bytes.
const maxOutput = 4 << 20

var errTooLong = errors.New("it writes more than 4 MiB")

// bounded refuses to grow beyond maxOutput, which ends a template that would
// write for ever.
type bounded struct{ bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxOutput {
		return 0, errTooLong
	}
	return b.Buffer.Write(p)
}

func execute(set *template.Template, name string, in Input) ([]byte, error) {
	var out bounded
	if in.marked {
		name = withMarks(set, name)
	}
	if err := set.ExecuteTemplate(&out, name, in.Data); err != nil {
		return nil, err
	}
	if out.Len() > 0 && !bytes.HasSuffix(out.Bytes(), []byte("\n")) {
		out.WriteByte('\n')
	}
	return out.Bytes(), nil
}

// executeOverride parses into a copy of the set: an override may use definitions
// of the templates, and not disturb them.
func executeOverride(set *template.Template, o config.File, in Input) ([]byte, error) {
	set, err := set.Clone()
	if err != nil {
		return nil, err
	}
	if _, err := set.New(o.Name).Parse(string(o.Data)); err != nil {
		return nil, err
	}
	return execute(set, o.Name, in)
}
