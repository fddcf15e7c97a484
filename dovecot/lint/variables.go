package lint

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"pidgeon/lazyregexp"
)

// ValuePlace is the setting and the sections of a value, on which the meaning of a variable
// depends.
type ValuePlace struct {
	Key      string
	Sections []string // kinds of those around it
}

// Inside reports whether a value stands in a section of one of some kinds.
func (p ValuePlace) Inside(kinds ...string) bool {
	return slices.ContainsFunc(p.Sections, func(kind string) bool { return slices.Contains(kinds, kind) })
}

var (
	// variable is one of 2.3, or two %, which are one that stands for itself.
	variable = lazyregexp.New(`%%|%((?:-?[0-9]+(?:[.][0-9]+)?)?)([A-Z]*)(?:([a-z$])|\{([^{}]*)\})`)
	// shared is a variable of the owner of a shared folder.
	shared = lazyregexp.New(`%%([A-Z]*)(?:([undh])\b|\{(user|username|domain|home)\})`)
)

// ConvertVariables converts the variables of a value from 2.3 to 2.4. note is called for each
// that has another name, and for each that has no counterpart and stays.
func (p ValuePlace) ConvertVariables(value string, note func(old, now string, err error)) string {
	if listed(p.Key, "time formats") || !strings.Contains(value, "%") {
		return value
	}
	noted := func(old, now string, err error) string {
		if err != nil {
			now = old
		}
		if err != nil || now != old {
			note(old, now, err)
		}
		return now
	}
	if p.Inside("namespace") || strings.HasPrefix(p.Key, "mail_") {
		value = shared.ReplaceAllStringFunc(value, func(old string) string {
			now, err := p.owner(shared.FindStringSubmatch(old))
			return noted(old, now, err)
		})
	}
	var out strings.Builder
	last := 0
	for _, at := range variable.FindAllStringSubmatchIndex(value, -1) {
		old := value[at[0]:at[1]]
		out.WriteString(value[last:at[0]])
		last = at[1]
		group := func(i int) string { return value[max(0, at[2*i]):max(0, at[2*i+1])] }
		switch word := at[6] >= 0 && last < len(value) && value[last] >= 'a' && value[last] <= 'z'; {
		case old == "%%" && p.expanded():
			now := "%"
			if strings.IndexAny(value[last:], "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789{$.-") == 0 { // else it would begin one
				now = "%{literal('%')}"
			}
			out.WriteString(now)
		case old == "%%" || word: // such as 100%up
			out.WriteString(old)
		default:
			now, err := p.variable(old, group(1), group(2), group(3), group(4))
			if p.Key == "login_log_format_elements" { // 2.4.1 parts it at each blank, and its login processes crash
				now = strings.ReplaceAll(now, " ", "")
			}
			if now = noted(old, now, err); now != old && value[0] == '"' {
				now = strings.ReplaceAll(now, `\`, `\\`)
			}
			out.WriteString(now)
		}
	}
	return out.String() + value[last:]
}

// expanded tells where 2.3 replaces variables for sure, so that %% is one %.
func (p ValuePlace) expanded() bool {
	return p.Inside("plugin", "passdb", "userdb") || strings.HasSuffix(p.Key, "_format") || strings.HasSuffix(p.Key, "_format_elements") ||
		p.Key == "mail_log_prefix" || p.Key == "mail_home" || p.Key == "login_greeting"
}

// owner converts a variable of the owner of a shared folder.
func (p ValuePlace) owner(m []string) (string, error) {
	name := m[3]
	if name == "" {
		name = map[string]string{"u": "user", "n": "username", "d": "domain", "h": "home"}[m[2]]
	}
	if p.Key == "prefix" {
		return "$" + name, nil
	}
	more, err := filters("", m[1])
	switch name {
	case "home", "user":
		return "%{owner_" + name + more + "}", err
	}
	return "%{owner_user | " + name + more + "}", err
}

// variable converts one: its width, modifiers, and letter or long name.
func (p ValuePlace) variable(old, width, modifiers, letter, long string) (string, error) {
	name, fallback := letter+strings.TrimSpace(long), ""
	switch provider, rest, provided := strings.Cut(name, ":"); {
	case old == "%{"+long+"}" && (strings.ContainsAny(name, "| '\"(") || strings.HasPrefix(name, "env:") || strings.HasPrefix(name, "owner_")):
		return old, nil // 2.4's already
	case strings.Contains(name, ";") || provided && (provider == "if" || strings.HasPrefix(provider, "sha") || strings.HasPrefix(provider, "md5")):
		return "", fmt.Errorf("write %s as 2.4 has it, for example %%{if(left, operator, right, true, false)} or %%{user | sha256 | hexlify}", old)
	case provided && strings.Contains(rest, ":"):
		field, otherwise, _ := strings.Cut(rest, ":")
		name, fallback = provider+":"+field, " | default('"+otherwise+"')"
	}
	now := p.lookup(name)
	switch {
	case now == "" && letter != "":
		return old, nil // none in 2.3 either
	case now == "":
		now = name
	case modifiers == "X" && (now == "uid" || now == "uidvalidity"): // numbers; of a name it is the hash
		if width = strings.TrimLeft(width, "0"); width != "" {
			width = "(" + width + ")"
		}
		return "%{" + now + " | hex" + width + "}", nil
	}
	more, err := filters(width, modifiers)
	if long != "" && now == name && more+fallback == "" {
		return old, err
	}
	return "%{" + now + more + fallback + "}", err
}

// lookup finds what 2.4 calls a variable of 2.3 here.
func (p ValuePlace) lookup(name string) string {
	for _, row := range TableRows("letters") {
		if (row[0] == p.Key || row[0] == "*") && row[1] == name {
			return row[2]
		}
	}
	auth := p.Inside("passdb", "userdb") || strings.HasPrefix(p.Key, "auth_") || strings.HasPrefix(p.Key, "login_")
	switch {
	case name == "service" && auth:
		return "protocol"
	case name == "s" && !auth:
		return "service"
	}
	for _, section := range []string{"variables", "rewritten"} {
		if row := TableRow(section, name); row != nil {
			return row[1]
		}
	}
	return ""
}

// filters are what 2.4 has for a width, which comes first in 2.3 and is applied last,
// and for modifiers.
func filters(width, modifiers string) (string, error) {
	offset, length, both := strings.Cut(width, ".")
	if !both {
		offset, length = "0", width
	}
	if before, hash := strings.CutSuffix(modifiers, "N"); hash { // %2.256Nu
		chain, err := filters("", before)
		chain += " | md5 | substr(0, 8) % " + cmp.Or(length, "4294967296")
		if chain += " | hex"; both {
			chain += "(" + offset + ")"
		}
		return chain, err
	}
	chain := ""
	for _, letter := range modifiers {
		row := TableRow("modifiers", string(letter))
		if row == nil {
			return "", fmt.Errorf("2.4 has nothing for the modifier %c", letter)
		}
		chain += " | " + row[1]
	}
	if width == "" {
		return chain, nil
	}
	from, err1 := strconv.Atoi(offset)
	count, err2 := strconv.Atoi(length)
	if errors.Join(err1, err2) != nil {
		return "", fmt.Errorf("2.4 has nothing for the width %s", width)
	}
	return fmt.Sprintf("%s | substr(%d, %d)", chain, from, count), nil
}
