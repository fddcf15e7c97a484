package lint

import (
	"regexp"
	"strings"
)

// letters are the one-letter variables of 2.3 and what 2.4 has for them. 2.4
// takes %u for these two characters: with mail_path = /srv/mail/%u all users
// share one mailbox.
var letters = map[byte]string{
	'a': "local_port", 'b': "remote_port", 'c': "secured", 'd': "user | domain", 'h': "home",
	'l': "local_ip", 'm': "mechanism", 'n': "user | username", 'p': "client_pid", 'r': "remote_ip",
	's': "protocol", 'u': "user", 'w': "password",
}

// longNames are variables that 2.4 has renamed: 2.3's, then 2.4's.
var longNames = [...][2]string{
	{"auth_domain", "auth_user | domain"},
	{"auth_username", "auth_user | username"},
	{"lip", "local_ip"},
	{"lport", "local_port"},
	{"mech", "mechanism"},
	{"orig_domain", "original_user | domain"},
	{"orig_username", "original_user | username"},
	{"orig_user", "original_user"},
	{"real_lip", "real_local_ip"},
	{"real_lport", "real_local_port"},
	{"real_rip", "real_remote_ip"},
	{"real_rport", "real_remote_port"},
	{"rip", "remote_ip"},
	{"rport", "remote_port"},
	{"domain", "user | domain"},
	{"username", "user | username"},
}

var (
	letter   = regexp.MustCompile(`(^|[^%])%([0-9.,-]*[LUMHNETRX]*)([abcdhlmnprsuw])\b`)
	longName = regexp.MustCompile(`%\{\s*(\w+)\s*([|}])`)
)

// filters are the modifiers of 2.3 as 2.4's filters; others need thought.
var filters = map[string]string{"": "", "L": " | lower", "U": " | upper", "M": " | md5 | hexlify"}

// oldVariable finds a variable of 2.3 in a value and says what 2.4 has for it.
func oldVariable(value string) (old, now string, found bool) {
	if m := letter.FindStringSubmatch(value); m != nil {
		old = "%" + m[2] + m[3]
		filter, simple := filters[m[2]]
		if !simple {
			return old, "a chain of filters such as %{user | md5 | substr(0, 8) % 256 | hex(2)}", true
		}
		return old, "%{" + letters[m[3][0]] + filter + "}", true
	}
	for _, m := range longName.FindAllStringSubmatch(value, -1) {
		for _, name := range longNames {
			if m[1] == name[0] && m[1] != "domain" && m[1] != "username" {
				return "%{" + m[1] + "}", "%{" + name[1] + "}", true
			}
		}
	}
	return "", "", false
}

// newVariable finds a variable of 2.4 in a value and says what 2.3 has for it.
func newVariable(value string) (now, old string, found bool) {
	for _, m := range longName.FindAllStringSubmatchIndex(value, -1) {
		name, whole := value[m[2]:m[3]], value[m[0]:]
		if end := strings.IndexByte(whole, '}'); end > 0 {
			whole = whole[:end+1]
		}
		inner := strings.Join(strings.Fields(strings.ReplaceAll(strings.Trim(whole, "%{}"), "|", " | ")), " ")
		for _, known := range longNames {
			if inner == known[1] {
				return whole, "%{" + known[0] + "}", true
			}
		}
		if value[m[4]] == '|' {
			return whole, "%L" + name[:1] + " and such", true
		}
	}
	return "", "", false
}
