package upgrade

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"pidgeon/dovecot/lint"
)

// variable is one of 2.3, or two %, which are one that stands for itself.
var variable = regexp.MustCompile(`%%|%([-0-9.,]*)([A-Z]*)(?:([a-z$])|\{([^{}]*)\})`)

// shared is a variable of the owner of a shared folder.
var shared = regexp.MustCompile(`%%([A-Z]*)(?:([undh])\b|\{(user|username|domain|home)\})`)

var owners = map[string]string{"u": "user", "n": "username", "d": "domain", "h": "home", "user": "user", "username": "username", "domain": "domain", "home": "home"}

// words are a value with its variables in the words of 2.4.
func (u use) words(value string) (string, error) {
	n := u.node
	if slices.Contains(lint.List("time formats"), n.Key) || !strings.Contains(value, "%") {
		return value, nil
	}
	var fault error
	if n.inside("namespace") || strings.HasPrefix(n.Key, "mail_") {
		value = shared.ReplaceAllStringFunc(value, func(old string) string {
			m := shared.FindStringSubmatch(old)
			name := owners[m[2]+m[3]]
			if n.Key == "prefix" {
				return "$" + name
			}
			filters, err := filters("", m[1])
			if fault = err; name == "home" {
				return "%{owner_home" + filters + "}"
			}
			if name != "user" {
				filters = " | " + name + filters
			}
			return "%{owner_user" + filters + "}"
		})
	}
	value = variable.ReplaceAllStringFunc(value, func(old string) string {
		if old == "%%" {
			if n.around() == "plugin" {
				return "%"
			}
			return old
		}
		m := variable.FindStringSubmatch(old)
		now, err := u.variable(m)
		if err != nil {
			fault = err
		}
		return now
	})
	return value, fault
}

// variable converts one: its width, modifiers, letter or name.
func (u use) variable(m []string) (string, error) {
	old, width, modifiers, name := m[0], m[1], m[2], m[3]+m[4]
	if m[4] != "" && (strings.ContainsAny(name, "| '\"(") || strings.HasPrefix(name, "env:") || strings.HasPrefix(name, "owner_")) && width+modifiers == "" {
		return old, nil // 2.4's already
	}
	name, fallback := strings.TrimSpace(name), ""
	if provider, rest, ok := strings.Cut(name, ":"); ok {
		switch field, other, more := strings.Cut(rest, ":"); {
		case provider == "if" || strings.Contains(provider, ";") || strings.HasPrefix(provider, "sha") || strings.HasPrefix(provider, "md5"):
			return old, fmt.Errorf("%s has no fixed counterpart: write it as a chain of 2.4's filters, such as %%{user | sha256 | hexlify}", old)
		case more:
			name, fallback = provider+":"+field, " | default('"+other+"')"
		}
	} else if strings.Contains(name, ";") {
		return old, fmt.Errorf("%s is written %%{if(left, operator, right, true, false)} in Dovecot 2.4", old)
	}
	now := u.lookup(name)
	if now == "" {
		if m[3] != "" {
			return old, nil // no variable in 2.3 either
		}
		now = name
	}
	if numeric := strings.HasSuffix(now, "uid") || strings.HasSuffix(now, "uidvalidity"); numeric && modifiers == "X" {
		if width = strings.TrimLeft(width, "0"); width != "" {
			width = "(" + width + ")"
		}
		return "%{" + now + " | hex" + width + "}", nil
	}
	filters, err := filters(width, modifiers)
	if err != nil {
		return old, fmt.Errorf("%s: %w", old, err)
	}
	if now+filters == name && m[4] != "" {
		return old, nil
	}
	return "%{" + now + filters + fallback + "}", nil
}

// lookup finds what 2.4 calls a variable of 2.3, in the setting at hand.
func (u use) lookup(name string) string {
	for _, row := range lint.Rows("letters") {
		if (row[0] == u.node.Key || row[0] == "*") && row[1] == name {
			return row[2]
		}
	}
	auth := u.node.inside("passdb", "userdb") || strings.HasPrefix(u.node.Key, "auth_") || strings.HasPrefix(u.node.Key, "login_")
	switch {
	case name == "service" && auth:
		return "protocol"
	case name == "s" && !auth:
		return "service"
	}
	for _, section := range []string{"variables", "rewritten"} {
		for _, row := range lint.Rows(section) {
			if row[0] == name {
				return row[1]
			}
		}
	}
	return ""
}

// filters are what 2.4 has for a width, which comes first in 2.3 and is applied last,
// and for modifiers.
func filters(width, modifiers string) (string, error) {
	offset, length, two := strings.Cut(width, ".")
	if !two {
		offset, length = "0", width
	}
	if strings.HasSuffix(modifiers, "N") { // a hash: %2.256Nu
		chain := " | md5 | substr(0, 8)"
		before, err := filters("", strings.TrimSuffix(modifiers, "N"))
		if length != "" {
			chain += " % " + length
		}
		chain += " | hex"
		if two {
			chain += "(" + offset + ")"
		}
		return before + chain, err
	}
	out := ""
	for _, letter := range modifiers {
		i := slices.IndexFunc(lint.Rows("modifiers"), func(row []string) bool { return row[0] == string(letter) })
		if i < 0 {
			return "", fmt.Errorf("the modifier %c has no counterpart in Dovecot 2.4", letter)
		}
		out += " | " + lint.Rows("modifiers")[i][1]
	}
	if width == "" {
		return out, nil
	}
	from, err1 := strconv.Atoi(offset)
	count, err2 := strconv.Atoi(length)
	if err1 != nil || err2 != nil {
		return "", fmt.Errorf("the width %s has no counterpart in Dovecot 2.4", width)
	}
	return fmt.Sprintf("%s | substr(%d, %d)", out, from, count), nil
}

var reference = regexp.MustCompile(`(^|\s)\$([a-z]\w*)`)

// plainValue is the value in 2.4's words, or a list that adds to what is set before, as
// lines.
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
	if !strings.Contains(value, "$") || strings.Contains(value, "$SET:") || n.Key == "prefix" || n.inside("dict", "dict_server") {
		return value, nil, nil
	}
	return reference.ReplaceAllString(value, "$1$$SET:$2"), nil, nil
}

// secret tells of a value that may hold any characters.
func (u use) secret() bool {
	key := u.node.Key
	return strings.Contains(key, "password") && !strings.Contains(key, "query") || strings.Contains(key, "secret") || strings.HasSuffix(key, "private_key")
}

// list are the lines of a list that adds to what is set before, or whose words are
// called something else. ok is false where the line can stay.
func (u use) list(key string) (lines []string, ok bool) {
	words := strings.Fields(strings.ReplaceAll(u.node.Value, ",", " "))
	signed := slices.Contains(lint.List("signed"), key) && strings.ContainsAny(u.node.Value, "+-")
	adds := slices.Contains(words, "$"+key)
	plugins := key == "mail_plugins"
	before := len(words)
	words = slices.DeleteFunc(words, func(word string) bool {
		return slices.ContainsFunc(lint.Rows("values"), func(row []string) bool { return row[0] == key && row[1] == word })
	})
	if !adds && !signed && !plugins && len(words) == before {
		return nil, false
	}
	var kept, notes []string
	for _, word := range words {
		name, no := strings.CutPrefix(word, "-")
		name = strings.TrimPrefix(name, "+")
		if plugins {
			now, why := plugin(name)
			if name = now; why != "" {
				notes = append(notes, u.note(u.node, word, why))
			}
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
	case !adds && !signed && len(words) == before && slices.Equal(kept, words):
		return nil, false
	case !adds && !signed:
		return append(notes, strings.TrimRight(key+" = "+strings.Join(kept, " "), " ")), true
	case len(lines) == 0:
		return notes, true
	}
	return slices.Concat(notes, []string{key + " {"}, lines, []string{"}"}), true
}

// plugin is what 2.4 calls a plugin, nothing for one that is always there.
func plugin(name string) (now, why string) {
	for _, row := range lint.Rows("plugins") {
		switch {
		case row[0] != name:
		case row[1] != "-":
			return row[1], ""
		case strings.Contains(row[2], "leave it out"):
			return "", ""
		default:
			return "", row[2]
		}
	}
	return name, ""
}
