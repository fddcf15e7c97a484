package upgrade

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"pidgeon/dovecot/lint"
	"pidgeon/lazyregexp"
)

// words converts the variables of a value.
func (u use) words(value string) (string, error) {
	var faults []error
	now := u.node.place().ConvertVariables(value, func(old, _ string, err error) {
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", old, err))
		}
	})
	return now, errors.Join(faults...)
}

var reference = lazyregexp.New(`(^|\s)\$([a-z]\w*)`)

// plainValue converts the value, or returns lines for a list that adds to an earlier value.
func (u use) plainValue() (value string, list []string, err error) {
	n := u.node
	if strings.HasSuffix(n.Key, "_file") && n.FromFile {
		return n.Value, nil, nil
	}
	if n.FromFile || u.secret() {
		return u.raw, nil, nil
	}
	if list, ok := u.list(n.Key); ok {
		return "", append([]string{}, list...), nil
	}
	if value, err = u.words(u.raw); err != nil {
		return "", nil, err
	}
	if !strings.Contains(value, "$") || strings.Contains(value, "$SET:") || n.Key == "prefix" || n.place().Inside("dict", "dict_server") {
		return value, nil, nil
	}
	return reference.ReplaceAllString(value, "$1$$SET:$2"), nil, nil
}

// secret tells of a value that may hold any characters.
func (u use) secret() bool {
	key := u.node.Key
	return strings.Contains(key, "password") && !strings.Contains(key, "query") || strings.Contains(key, "secret") || strings.HasSuffix(key, "private_key")
}

// list converts a list that adds to an earlier value, or whose words have other names. ok is
// false if the line can stay.
func (u use) list(key string) (lines []string, ok bool) {
	words := lint.ListItems(u.node.Value)
	signed := slices.Contains(lint.TableList("signed"), key) && strings.ContainsAny(u.node.Value, "+-")
	adds := slices.Contains(words, "$"+key)
	plugins := key == "mail_plugins"
	var kept, notes []string
	for i, word := range words { // alone they left out the listener without TLS
		name, alone := strings.CutSuffix(word, "s")
		if key == "protocols" && alone && (name == "imap" || name == "pop3") && !adds && !slices.Contains(words, name) {
			words[i] = name
			notes = append(notes, "service "+name+"-login {", "  inet_listener "+name+" {", "    port = 0", "  }", "}")
		}
	}
	before := len(words)
	words = slices.DeleteFunc(words, func(word string) bool {
		return slices.ContainsFunc(lint.TableRows("values"), func(row []string) bool { return row[0] == key && row[1] == strings.TrimLeft(word, "+-") })
	})
	if !adds && !signed && !plugins && len(words) == before && len(notes) == 0 {
		return nil, false
	}
	if strings.Contains(u.node.Value, "pidgeonaction") {
		return []string{u.note(u.node, key, "the template makes a part of the list: write each word as NAME = yes in "+key+" { … }"), "# " + u.node.text[0]}, true
	}
	for _, word := range words {
		name, no := strings.CutPrefix(word, "-")
		name = strings.TrimPrefix(name, "+")
		if plugins {
			now, instead, why := plugin(name)
			switch written, err := u.expand(instead); {
			case instead != "" && err == nil:
				notes = append(notes, written...)
			case why != "":
				notes = append(notes, u.note(u.node, word, why))
			}
			name = now
		}
		switch {
		case word == "$"+key || name == "":
		case !adds && !signed:
			kept = append(kept, name)
		case no && signed:
			lines = append(lines, "  "+name+" = no")
		default:
			lines = append(lines, "  "+name+" = yes")
		}
	}
	switch {
	case !adds && !signed && len(words) == before && len(notes) == 0 && slices.Equal(kept, words):
		return nil, false
	case !adds && !signed:
		return append(notes, strings.TrimRight(key+" = "+strings.Join(kept, " "), " ")), true
	case len(lines) == 0:
		return notes, true
	}
	return slices.Concat(notes, []string{key + " {"}, lines, []string{"}"}), true
}

// plugin is the name of a plugin in 2.4, empty for one that is built in or replaced by
// settings.
func plugin(name string) (now, instead, why string) {
	switch row := lint.TableRow("plugins", name); {
	case row == nil:
		return name, "", ""
	case row[1] != "-":
		return row[1], "", ""
	case row[3] == "-", strings.Contains(row[2], "leave it out"):
		return "", "", ""
	default:
		return "", row[3], row[2]
	}
}
