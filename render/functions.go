package render

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig/v3"

	"pidgeon/lazyregexp"
	"pidgeon/settings"
)

// functions are sprig's, without those whose result is not the same each time
// (some of them sprig calls hermetic), and value, which writes any text so that
// Dovecot reads that text, variables replaced by pattern.
func functions(data Data) template.FuncMap {
	f := sprig.HermeticTxtFuncMap()
	for _, name := range []string{
		"ago", "toDate", "mustToDate", "must_date_modify", "mustDateModify",
		"bcrypt", "htpasswd", "encryptAES", "shuffle", "randInt",
		"genPrivateKey", "buildCustomCert", "genCA", "genCAWithKey", "genSelfSignedCert",
		"genSelfSignedCertWithKey", "genSignedCert", "genSignedCertWithKey",
	} {
		delete(f, name)
	}
	f["keys"] = keys
	f["values"] = values
	f["value"] = value
	f["pattern"] = pattern
	f["repeat"] = repeat
	f["indent"] = indent
	f["nindent"] = func(spaces int, text string) (string, error) {
		text, err := indent(spaces, text)
		return "\n" + text, err
	}
	f["until"] = func(n int) ([]int, error) { return untilStep(0, n, 1) }
	f["untilStep"] = untilStep
	f["seq"] = seq
	f["env"] = func(name string) (string, error) {
		if v, ok := data.Env[name]; ok {
			return fmt.Sprint(v), nil
		}
		return "", fmt.Errorf("environment variable %s is not set", name)
	}
	return f
}

// plain texts mean themselves without quotes.
var plain = lazyregexp.New(`^[A-Za-z0-9/][A-Za-z0-9/._:@+-]*$`)

// value quotes any text for Dovecot's parser. Both dialects read every byte of a
// quoted value as it is, # $ { } included, with \ escaping itself and the quote.
// A line end and NUL cannot be written, and %{ begins a variable in 2.4 however
// it is quoted (an incomplete one makes doveconf 2.4.1 panic). Checked against
// doveconf 2.3.19 and 2.4.1 by TestValueArrives.
func value(v any) (string, error) {
	text := fmt.Sprint(v)
	switch {
	case strings.ContainsAny(text, "\n\r\x00"):
		return "", errors.New("the value holds a line end or a NUL byte, which no Dovecot setting can")
	case strings.Contains(text, "%{"):
		return "", errors.New("the value holds %{, which begins a variable: write the setting without value if one is meant")
	}
	return quoted(text), nil
}

func quoted(text string) string {
	if plain.MatchString(text) {
		return text
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

// pattern writes a text with variables in the words of one dialect.
func pattern(p settings.Pattern, user, username, domain, percent string) string {
	return quoted(p.With(user, username, domain, percent))
}

// keys and values replace sprig's, which follow Go's random order of maps.
func keys(dicts ...map[string]any) (all []string) {
	for _, d := range dicts {
		all = append(all, sortedKeys(d)...)
	}
	return all
}

func values(dict map[string]any) (all []any) {
	for _, k := range sortedKeys(dict) {
		all = append(all, dict[k])
	}
	return all
}

// maxItems bounds the size of a list that a template makes, so that a typing error does not
// take all memory.
const maxItems = 100_000

func repeat(count int, text string) (string, error) {
	if count < 0 || count*len(text) > maxOutput || count > maxOutput {
		return "", fmt.Errorf("repeat %d: more than 4 MiB, or negative", count)
	}
	return strings.Repeat(text, count), nil
}

func indent(spaces int, text string) (string, error) {
	pad, err := repeat(spaces, " ")
	if err != nil || len(pad)*(1+strings.Count(text, "\n")) > maxOutput {
		return "", fmt.Errorf("indent %d: more than 4 MiB, or negative", spaces)
	}
	return pad + strings.ReplaceAll(text, "\n", "\n"+pad), nil
}

func untilStep(start, stop, step int) ([]int, error) {
	var all []int
	for i := start; step > 0 && i < stop || step < 0 && i > stop; i += step {
		if len(all) == maxItems {
			return nil, fmt.Errorf("more than %d numbers", maxItems)
		}
		all = append(all, i)
	}
	return all, nil
}

// seq is like the command: seq LAST, seq FIRST LAST, seq FIRST STEP LAST.
func seq(params ...int) (string, error) {
	first, step, last := 1, 1, 0
	switch len(params) {
	case 1:
		last = params[0]
	case 2:
		first, last = params[0], params[1]
	case 3:
		first, step, last = params[0], params[1], params[2]
	default:
		return "", fmt.Errorf("seq wants one to three numbers")
	}
	if step == 0 {
		return "", fmt.Errorf("seq with step 0 never ends")
	}
	numbers, err := untilStep(first, last+cmp.Compare(step, 0), step)
	return strings.Trim(fmt.Sprint(numbers), "[]"), err
}
