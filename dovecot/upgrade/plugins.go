package upgrade

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"pidgeon/finding"
	"pidgeon/lazyregexp"
)

// ACL is acl = vfile:/path:cache_secs=…, where the file holds the rights of all users: a
// mailbox, who, and what, in each line. 2.4.5 reads no such file any more.
func (u use) ACL() (string, error) {
	parts := colons(u.node.Value)
	lines := []string{"acl_driver = " + parts[0]}
	for _, part := range parts[1:] {
		if seconds, cache := strings.CutPrefix(part, "cache_secs="); cache {
			lines = append(lines, "acl_cache_ttl = "+seconds+" secs")
			continue
		}
		f, ok := u.external(u.node, part)
		if !ok && part != "" {
			return "", fmt.Errorf("the rights in %s, which cannot be read, are written mailbox NAME { acl WHO { rights = … } }", part)
		}
		for line := range strings.Lines(string(f.Data)) {
			if m := right.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
				lines = append(lines, "mailbox "+u.filter(strings.Trim(m[1], `"`))+" {", "  acl "+m[2]+" {", "    rights = "+m[3], "  }", "}")
			}
		}
	}
	return strings.Join(lines, "\n"), nil
}

var right = lazyregexp.New(`^("[^"]+"|[^#\s]\S*)\s+(\S+)\s+(\S+)$`)

// Push converts push_notification_driver = lua:file=…
func (u use) Push() (string, error) {
	driver, rest, _ := strings.Cut(u.node.Value, ":")
	lines := "push_notification " + driver + u.Digits() + " {\n  driver = " + driver
	for word := range strings.FieldsSeq(rest) {
		name, value, _ := strings.Cut(word, "=")
		now := option24("push_notification", name)
		if value == "" {
			value = "yes"
		}
		if now == "" {
			return "", fmt.Errorf("%s of %s is written push_notification NAME { … } by hand", name, driver)
		}
		lines += "\n  " + now + " = " + value
	}
	return lines + "\n}", nil
}

// Quota converts a quota root to the driver count, because other drivers but fs are gone. A
// dict gets its numbers by quota_clone.
func (u use) Quota() (string, error) {
	driver, rest, _ := strings.Cut(u.node.Value, ":")
	_, options, _ := strings.Cut(rest, ":")
	clone := ""
	switch driver {
	case "dict":
		whose, uri, _ := strings.Cut(options, ":")
		if whose != "" && whose != "%u" {
			return "", fmt.Errorf("it counts for %s, and quotas that several users share are gone: each user has one of their own", whose)
		}
		if strings.HasPrefix(uri, "file:") {
			break
		}
		dict, err := u.Dict(uri)
		if err != nil {
			return "", err
		}
		clone = "\nmail_plugins {\n  quota_clone = yes\n}\nquota_clone {\n  " + strings.ReplaceAll(dict, "\n", "\n  ") + "\n}"
		fallthrough
	case "maildir", "dirsize":
		driver, options = "count", ""
	case "count":
	default:
		return "", fmt.Errorf("write quota NAME { driver = %s … } by hand", driver)
	}
	lines := "quota " + rootName(u.node) + " {\n  driver = count"
	for option := range strings.SplitSeq(options, ":") {
		now := option24("quota", option)
		if now == "" && option != "" {
			return "", fmt.Errorf("the option %s of a quota is written in a namespace { … } by hand", option)
		}
		if now != "" {
			lines += "\n  " + now
		}
	}
	return lines + "\n}" + clone, nil
}

// rootName is the name of a quota.
func rootName(n *node) string {
	_, rest, _ := strings.Cut(n.Value, ":")
	if name, _, _ := strings.Cut(rest, ":"); name != "" {
		return quoted(name)
	}
	return "user"
}

// ofRoot puts lines into the section of their quota, if there are several quotas.
func (c *converter) ofRoot(n *node, lines []string) []string {
	m := ofQuota.FindStringSubmatch(n.Key)
	if m == nil || n.around() != "plugin" || c.plugin["quota2"] == nil || c.plugin["quota"+m[1]] == nil || len(lines) == 0 {
		return lines
	}
	of := func(lines []string) []string { return defines("quota "+rootName(c.plugin["quota"+m[1]]), lines) }
	if strings.HasPrefix(lines[0], "mailbox ") { // which a quota has none of (2.4.1)
		last := len(lines) - 1
		return slices.Concat(lines[:1], indented(of(moved(lines[1:last], "  ", "")), "  ", ""), lines[last:])
	}
	return of(lines)
}

var ofQuota = lazyregexp.New(`^quota(\d*)_(rule|grace|warning|over|max_mail_size)`)

func (u use) Rule() (string, error) {
	value, err := u.words(u.node.Value)
	if err != nil {
		return "", err
	}
	lines, err := rules(value, u.filter)
	return strings.Join(lines, "\n"), err
}

// filter is the name of a mailbox for mailbox NAME { … }, without the prefix of its namespace.
func (c *converter) filter(name string) string {
	for _, n := range c.all {
		if rest, ok := strings.CutPrefix(name, n.value("prefix")); n.Opens && n.Key == "namespace" && n.value("prefix") != "" && ok && rest != "" {
			return quoted(rest)
		}
	}
	return quoted(name)
}

var limit = lazyregexp.New(`^([+-]?)(.*?)([kKMGTB%]?)$`)

// rules converts a quota_rule: *:storage=1G:messages=100, Trash:storage=+10%, Junk:ignore.
func rules(value string, filter func(string) string) (lines []string, err error) {
	parts := colons(value)
	name := parts[0]
	if name == "?" { // for whom the user database says nothing, as 2.4's are anyway
		name = "*"
	}
	if len(parts) < 2 {
		return nil, fmt.Errorf("write quota_storage_size for %s by hand", value)
	}
	for _, part := range parts[1:] {
		what, amount, _ := strings.Cut(part, "=")
		m := limit.FindStringSubmatch(amount)
		sign, number, unit := m[1], m[2], m[3]
		if unit == "" && what == "storage" {
			unit = "K"
		}
		if unit == "" && what == "bytes" {
			unit = "B"
		}
		switch {
		case what == "messages" && number == "0" && sign == "":
			lines = append(lines, "quota_message_count = unlimited")
		case part == "ignore":
			lines = append(lines, "quota_ignore = yes")
		case what == "messages" && sign == "":
			lines = append(lines, "quota_message_count = "+number)
		case what != "storage" && what != "bytes" && what != "messages":
			return nil, fmt.Errorf("write %s of the quota by hand", part)
		case number == "0" && sign == "":
			lines = append(lines, "quota_storage_size = unlimited")
		case unit == "%" && (sign == "+" || sign == "-"):
			share, err := strconv.Atoi(sign + number)
			if err != nil {
				return nil, fmt.Errorf("write %s of the quota by hand", part)
			}
			lines = append(lines, fmt.Sprintf("quota_%s_percentage = %d", map[bool]string{true: "message", false: "storage"}[what == "messages"], 100+share))
		case sign == "+" && unit != "%" && what != "messages":
			lines = append(lines, "quota_storage_extra = "+number+unit)
		case sign == "" && unit != "%" && name == "*":
			lines = append(lines, "quota_storage_size = "+number+unit)
		default:
			return nil, fmt.Errorf("write %s of the quota by hand, with quota_storage_percentage or quota_storage_extra", part)
		}
	}
	if name == "*" {
		return lines, nil
	}
	return section("mailbox "+filter(name), lines), nil
}

// Grace is how far over its quota a user may come with one mail: a share of the quota in
// 2.3, a size in 2.4.
func (u use) Grace() (string, error) {
	share, percent := strings.CutSuffix(strings.ReplaceAll(u.node.Value, "%%", "%"), "%")
	if !percent {
		return "quota_storage_grace = " + u.node.Value, nil
	}
	n, err := strconv.Atoi(share)
	if size := u.allowed(); err == nil && size > 0 {
		return fmt.Sprintf("quota_storage_grace = %dK", size>>10*int64(n)/100), nil
	}
	u.differs(u.node.Key+" = "+u.node.Value+" is left to Dovecot 2.4's default, which is 10M",
		"it is no share of the quota any more: set quota_storage_grace to a size where 10M do not suit")
	return "", nil
}

// differs warns of a line that has a slightly different effect.
func (u use) differs(problem, hint string) {
	f := finding.Warn(finding.CarriedOver, u.node.file.Origin, problem, hint)
	f.Line = u.node.Last
	u.Differences = append(u.Differences, f)
}

// units are the units of sizes, as powers of 2; a rule without a unit is in K.
var units = map[string]int{"": 10, "B": 0, "k": 10, "K": 10, "M": 20, "G": 30, "T": 40}

// allowed is the default quota in bytes; 0 is none.
func (u use) allowed() int64 {
	if m := limit.FindStringSubmatch(u.allowance()); m != nil && m[1] == "" {
		if size, err := strconv.ParseInt(m[2], 10, 64); err == nil {
			return size << units[m[3]]
		}
	}
	return 0
}

// allowance is the default quota as it is written: 1G.
func (u use) allowance() string {
	_, all, _ := strings.Cut(u.pluginValue("quota_rule"), "*:")
	for part := range strings.SplitSeq(all, ":") {
		if size, ok := strings.CutPrefix(part, "storage="); ok {
			return size
		}
	}
	return ""
}

// Warning converts a quota_warning: storage=95%% quota-warning 95 %u.
func (u use) Warning() (string, error) {
	value, err := u.words(u.node.Value)
	words := strings.Fields(value)
	if err != nil || len(words) < 2 {
		return "", fmt.Errorf("write quota_warning NAME { … } by hand: %w", err)
	}
	what, amount, _ := strings.Cut(strings.TrimLeft(words[0], "-+"), "=")
	kind := map[string]string{"storage": "storage", "messages": "message", "message": "message"}[what]
	percent, share := strings.CutSuffix(amount, "%")
	if kind == "" || !share {
		return "", fmt.Errorf("it watches %s: write quota_warning NAME { … } by hand", words[0])
	}
	lines := []string{"quota_warning warning" + u.Digits() + " {", "  quota_" + kind + "_percentage = " + percent}
	if kind == "message" {
		lines = append(lines, "  resource = message")
	}
	if strings.HasPrefix(words[0], "-") {
		lines = append(lines, "  threshold = under")
	}
	lines = append(lines, "  execute "+words[1]+" {")
	if len(words) > 2 {
		lines = append(lines, "    args = "+strings.Join(words[2:], " "))
	}
	return strings.Join(append(lines, "  }", "}"), "\n"), nil
}

// Script converts a place of Sieve scripts: a file or a directory, or dict:DICT;name=active.
func (u use) Script() (string, error) {
	place, options, _ := strings.Cut(u.node.Value, ";")
	var lines []string
	switch driver, uri, _ := strings.Cut(place, ":"); driver {
	case "ldap":
		return "", errors.New("write sieve_script NAME { driver = ldap … } by hand")
	case "dict":
		dict, err := u.Dict(uri)
		if err != nil {
			return "", err
		}
		lines = []string{"driver = dict", dict}
	default:
		path, err := u.words(strings.TrimPrefix(place, "file:"))
		if err != nil {
			return "", err
		}
		lines = []string{"path = " + path}
	}
	for option := range strings.SplitSeq(options, ";") {
		name, value, _ := strings.Cut(option, "=")
		now := option24("sieve_script", name)
		if now == "" && option != "" {
			return "", fmt.Errorf("write %s of sieve_script NAME { … } by hand", name)
		}
		if value, err := u.words(value); err != nil {
			return "", err
		} else if now != "" {
			lines = append(lines, now+" = "+value)
		}
	}
	return strings.Join(lines, "\n"), nil
}

// path is the path of Sieve scripts in files.
func (u use) path(value string) (string, error) {
	place, options, _ := strings.Cut(strings.TrimPrefix(value, "file:"), ";")
	if strings.HasPrefix(place, "ldap:") || strings.HasPrefix(place, "dict:") || options != "" {
		return "", fmt.Errorf("write sieve_script NAME { … } for %s by hand", place)
	}
	return u.words(place)
}

func (u use) Default() string {
	if name := u.pluginValue("sieve_default_name"); name != "" {
		return "name = " + name
	}
	return ""
}

// pluginValue is what plugin { } sets a setting to, empty if it does not.
func (c *converter) pluginValue(key string) string {
	if n := c.plugin[key]; n != nil {
		return n.Value
	}
	return ""
}

// Personal converts sieve and sieve_dir, the places of a user's own scripts.
func (u use) Personal() (string, error) {
	if u.written["sieve_script personal"] {
		return "", nil
	}
	u.written["sieve_script personal"] = true
	dir, active := u.pluginValue("sieve_dir"), ""
	if place, option, _ := strings.Cut(u.pluginValue("sieve"), ";active="); option != "" || strings.HasPrefix(place, "file:") {
		dir, active = place, option
	} else {
		active = place
	}
	dir, err := u.path(cmp.Or(dir, "~/sieve"))
	if err != nil {
		return "", err
	}
	if active, err = u.path(cmp.Or(active, "~/.dovecot.sieve")); err != nil {
		return "", err
	}
	return "sieve_script personal {\n  path = " + dir + "\n  active_path = " + active + "\n}", nil
}

// Imapsieve converts the settings imapsieve_mailboxN_* of one number.
func (u use) Imapsieve() (string, error) {
	group := numbered.FindString(u.node.Key)
	if u.written[group] {
		return "", nil
	}
	u.written[group] = true
	of := func(what string) string { return u.pluginValue(group + what) }
	causes := strings.ToLower(strings.ReplaceAll(cmp.Or(of("causes"), "append copy flag"), ",", " "))
	var lines []string
	for _, kind := range []string{"before", "after"} {
		if of(kind) == "" {
			continue
		}
		place, err := u.path(of(kind))
		if err != nil {
			return "", err
		}
		lines = append(lines, "sieve_script imapsieve"+digits.FindString(group)+"-"+kind+" {", "  type = "+kind, "  cause = "+causes, "  path = "+place, "}")
	}
	if from := of("from"); from != "" && from != "*" { // with its prefix (2.4.1)
		lines = defines("imapsieve_from "+quoted(from), lines)
	}
	if name := of("name"); name != "" && name != "*" {
		lines = defines("mailbox "+u.filter(name), lines)
	}
	return strings.Join(lines, "\n"), nil
}

// Level converts the compression level, whose setting depends on the method.
func (u use) Level() string {
	switch save := u.pluginValue("zlib_save"); save {
	case "gz", "deflate", "zstd":
		return "compress_" + save + "_level = " + u.node.Value
	case "bz2":
		return "compress_bz2_block_size_100k = " + u.node.Value
	}
	return "" // lz4 has none, or nothing is compressed
}
