package upgrade

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"pidgeon/config"
	"pidgeon/dovecot/lint"
	"pidgeon/lazyregexp"
)

// A *.conf.tmpl is text with actions, {{ … }}. To upgrade the text, a word takes the place
// of each action, or a comment that of each line that holds nothing else, so that
// {{if}} and {{end}} stay where they are.

var (
	action = lazyregexp.New(`(?s)\{\{.*?\}\}`)
	lonely = lazyregexp.New(`(?m)^[ \t]*(?:pidgeonaction\d+x[ \t]*)+$`)
	masked = lazyregexp.New(`#pidgeonline(\d+)x|pidgeonaction(\d+)x`)
)

// mask puts words and comments in the place of actions.
func (c *converter) mask(f config.File) config.File {
	if !strings.HasSuffix(f.Name, ".tmpl") {
		return f
	}
	hide := func(kind, text string) []byte {
		c.actions = append(c.actions, text)
		return []byte(kind + strconv.Itoa(len(c.actions)-1) + "x")
	}
	data := action.ReplaceAllFunc(f.Data, func(text []byte) []byte { return hide("pidgeonaction", string(text)) })
	f.Data = lonely.ReplaceAllFunc(data, func(line []byte) []byte {
		var hidden [][]byte
		for text := range strings.SplitSeq(c.unmask(string(line)), "\n") { // an action may have several lines
			hidden = append(hidden, hide("#pidgeonline", text))
		}
		return bytes.Join(hidden, []byte("\n"))
	})
	return f
}

func (c *converter) unmask(text string) string {
	return masked.ReplaceAllStringFunc(text, func(word string) string {
		i, _ := strconv.Atoi(strings.Trim(word, "#abcdefghijklmnopqrstuvwxyz"))
		return c.actions[i]
	})
}

// opaque tells why a setting stays whose value a template makes: what becomes of it
// depends on that value.
func opaque(n *node, spec string) error {
	if !strings.Contains(n.Raw, "pidgeonaction") {
		return nil
	}
	for _, use := range action.FindAllString(spec, -1) {
		for _, word := range functions.FindAllString(use, -1) {
			if !slices.Contains(lint.TableList("as it is"), word) {
				return errors.New("what becomes of it depends on its value, which the template makes: write it in 2.4's words")
			}
		}
	}
	return nil
}

var functions = lazyregexp.New(`[A-Za-z]+`)

// kept fails if lines lack an action of a setting.
func kept(n *node, lines []string) error {
	for _, word := range masked.FindAllString(n.Raw, -1) {
		if !slices.ContainsFunc(lines, func(line string) bool { return strings.Contains(line, word) }) {
			return fmt.Errorf("the template makes a part of its value that has no place: write it in 2.4's words")
		}
	}
	return nil
}
