package upgrade

import (
	"fmt"
	"regexp"
	"strings"
)

// acl is acl = vfile:/path:cache_secs=…, where the file holds the rights of all users: a
// mailbox, who, and what, in each line. 2.4.5 reads no such file any more.
func (u use) acl() (string, error) {
	parts := colons(u.node.Value)
	lines := []string{"acl_driver = " + parts[0]}
	for _, part := range parts[1:] {
		seconds, cache := strings.CutPrefix(part, "cache_secs=")
		f, ok := u.external(u.node, part)
		switch {
		case cache:
			lines = append(lines, "acl_cache_ttl = "+seconds+" secs")
			continue
		case part == "":
			continue
		case !ok:
			return "", fmt.Errorf("the rights in %s, which cannot be read, are written mailbox NAME { acl WHO { rights = … } }", part)
		}
		u.Merged = append(u.Merged, f.Name)
		for line := range strings.Lines(string(f.Data)) {
			if m := right.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
				lines = append(lines, "mailbox "+quoted(strings.Trim(m[1], `"`))+" {", "  acl "+m[2]+" {", "    rights = "+m[3], "  }", "}")
			}
		}
	}
	return strings.Join(lines, "\n"), nil
}

var right = regexp.MustCompile(`^("[^"]+"|[^#\s]\S*)\s+(\S+)\s+(\S+)$`)

// push is push_notification_driver = lua:file=…
func (u use) push() (string, error) {
	driver, rest, _ := strings.Cut(u.node.Value, ":")
	lines := "push_notification " + driver + " {\n  driver = " + driver
	for word := range strings.FieldsSeq(rest) {
		name, value, _ := strings.Cut(word, "=")
		now := map[string]string{"file": "lua_file", "url": "push_notification_ox_url", "cache_lifetime": "push_notification_ox_cache_ttl"}[name]
		if now == "" {
			return "", fmt.Errorf("%s of %s is written push_notification NAME { … } by hand", name, driver)
		}
		lines += "\n  " + now + " = " + value
	}
	return lines + "\n}", nil
}

// quota is a root, with the driver count, which keeps the numbers itself: other drivers
// are gone, but for fs. What a dict was told, quota_clone tells it.
func (u use) quota() (string, error) {
	driver, rest, _ := strings.Cut(u.node.Value, ":")
	name, options, _ := strings.Cut(rest, ":")
	clone := ""
	switch driver {
	case "dict":
		_, uri, _ := strings.Cut(options, ":")
		if strings.HasPrefix(uri, "file:") {
			break
		}
		n := *u.node
		n.Value = uri
		dict, err := use{converter: u.converter, node: &n}.dict()
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
	lines := "quota " + quoted(name) + " {\n  driver = count"
	if name == "" {
		lines = "quota user {\n  driver = count"
	}
	for option := range strings.SplitSeq(options, ":") {
		now, ok := map[string]string{"": "", "noenforcing": "quota_enforce = no", "hidden": "quota_hidden = yes", "ignoreunlimited": "quota_ignore_unlimited = yes"}[option]
		if !ok {
			return "", fmt.Errorf("the option %s of a quota is written in a namespace { … } by hand", option)
		}
		if now != "" {
			lines += "\n  " + now
		}
	}
	return lines + "\n}" + clone, nil
}

func (u use) rule() (string, error) {
	value, err := u.words(u.node.Value)
	if err != nil {
		return "", err
	}
	lines, err := rules(value)
	return strings.Join(lines, "\n"), err
}

var limit = regexp.MustCompile(`^([+-]?)(.*?)([kKMGTB%]?)$`)

// rules is a quota_rule: *:storage=1G:messages=100, Trash:storage=+10%, Junk:ignore.
func rules(value string) (lines []string, err error) {
	parts := colons(value)
	name := parts[0]
	if name == "?" || len(parts) < 2 {
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
		case unit == "%" && sign == "+" && len(number) <= 2:
			lines = append(lines, fmt.Sprintf("quota_%s_percentage = 1%02s", map[bool]string{true: "message", false: "storage"}[what == "messages"], number))
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
	return append(append([]string{"mailbox " + quoted(name) + " {"}, indented(lines, "  ", "")...), "}"), nil
}

// grace is how far over its quota a user may come with one mail, which is no share of
// the quota any more.
func grace(value string) func() (string, error) {
	return func() (string, error) {
		if strings.HasSuffix(value, "%") {
			return "", fmt.Errorf("it is a size in Dovecot 2.4: write quota_storage_grace = 10M, or what suits the quota")
		}
		return "quota_storage_grace = " + value, nil
	}
}

// warning is a quota_warning: storage=95%% quota-warning 95 %u.
func (u use) warning() (string, error) {
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
	lines := []string{"quota_warning warning" + digits.FindString(u.node.Key) + " {", "  quota_" + kind + "_percentage = " + percent}
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

// script is the place of Sieve scripts.
func (u use) script() (string, error) { return u.scriptAt(u.node.Value) }

func (u use) scriptAt(value string) (string, error) {
	value = strings.TrimPrefix(value, "file:")
	place, options, _ := strings.Cut(value, ";")
	if driver, _, other := strings.Cut(place, ":"); other && (driver == "ldap" || driver == "dict") || options != "" && !strings.HasPrefix(options, "active=") {
		return "", fmt.Errorf("write sieve_script NAME { … } by hand, with driver = %s", driver)
	}
	return u.words(place)
}

func (u use) defaultName() (string, error) {
	if n := u.plugin["sieve_default_name"]; n != nil {
		return "name = " + n.Value, nil
	}
	return "", nil
}

// personal is where a user's own scripts are, which sieve and sieve_dir say together.
func (u use) personal() (string, error) {
	if u.written["sieve_script personal"] {
		return "", nil
	}
	u.written["sieve_script personal"] = true
	dir, active := "~/sieve", "~/.dovecot.sieve"
	if n := u.plugin["sieve_dir"]; n != nil {
		dir = n.Value
	}
	if n := u.plugin["sieve"]; n != nil {
		place, option, _ := strings.Cut(n.Value, ";active=")
		if option != "" || strings.HasPrefix(place, "file:") {
			dir = place
			if option != "" {
				active = option
			}
		} else {
			active = place
		}
	}
	dir, err := u.scriptAt(dir)
	if err != nil {
		return "", err
	}
	if active, err = u.scriptAt(active); err != nil {
		return "", err
	}
	return "sieve_script personal {\n  path = " + dir + "\n  active_path = " + active + "\n}", nil
}

// imapsieve are the settings imapsieve_mailboxN_* with one number.
func (u use) imapsieve() (string, error) {
	group := numbered.FindString(u.node.Key)
	if u.written[group] {
		return "", nil
	}
	u.written[group] = true
	of := func(what string) string {
		if n := u.plugin[group+what]; n != nil {
			return n.Value
		}
		return ""
	}
	causes := strings.ToLower(strings.ReplaceAll(of("causes"), ",", " "))
	if causes == "" {
		causes = "append copy flag"
	}
	var lines []string
	for _, kind := range []string{"before", "after"} {
		if of(kind) == "" {
			continue
		}
		place, err := u.scriptAt(of(kind))
		if err != nil {
			return "", err
		}
		lines = append(lines, "sieve_script imapsieve"+digits.FindString(group)+"-"+kind+" {", "  type = "+kind, "  cause = "+causes, "  path = "+place, "}")
	}
	for _, around := range [][2]string{{"imapsieve_from", of("from")}, {"mailbox", of("name")}} {
		if around[1] != "" && around[1] != "*" {
			lines = append(append([]string{around[0] + " " + quoted(around[1]) + " {"}, indented(lines, "  ", "")...), "}")
		}
	}
	return strings.Join(lines, "\n"), nil
}

// level is how hard to compress, which depends on how.
func (u use) level() (string, error) {
	save := u.plugin["zlib_save"]
	if save == nil {
		return "", fmt.Errorf("write it for the method of mail_compress_write_method")
	}
	switch save.Value {
	case "gz", "deflate", "zstd":
		return "compress_" + save.Value + "_level = " + u.node.Value, nil
	case "bz2":
		return "compress_bz2_block_size_100k = " + u.node.Value, nil
	}
	return "", nil // lz4 has none
}
