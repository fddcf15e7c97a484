package dovecot

import (
	"slices"
	"strconv"
	"strings"
)

// mailPaths are where 2.4 keeps mail and what belongs to it.
var mailPaths = []string{
	"mail_path", "mail_inbox_path", "mail_index_path", "mail_control_path",
	"mail_volatile_path", "mail_alt_path", "mail_cache_path", "mail_index_private_path",
}

// MailBelow are settings that move all mail with a whole path below a directory. Drivers,
// and what lies in a user's home, stay as they are.
func (s Settings) MailBelow(dir string) Settings {
	moved := Settings{}
	for _, name := range mailPaths {
		if path := s[name]; strings.HasPrefix(path, "/") {
			moved[name] = dir + path
		}
	}
	if location, ok := s["mail_location"]; ok {
		parts := strings.Split(location, ":")
		for i, part := range parts {
			key, path, assigned := strings.Cut(part, "=")
			switch {
			case strings.HasPrefix(part, "/"):
				parts[i] = dir + part
			case assigned && strings.HasPrefix(path, "/"):
				parts[i] = key + "=" + dir + path
			}
		}
		moved["mail_location"] = strings.Join(parts, ":")
	}
	return moved
}

// userField is a field of the templates' userdb, which an override may have
// changed. 2.4 shows each, 2.3 all in the arguments of the last static userdb.
func (s Settings) userField(name string) string {
	if s["userdb/driver"] == "static" {
		for arg := range strings.FieldsSeq(strings.Trim(s["userdb/args"], `"`)) {
			if value, ok := strings.CutPrefix(arg, name+"="); ok {
				return value
			}
		}
	}
	return s["userdb/users/fields/"+name]
}

// MailOwner is who owns mail: uid and gid, unless an override says otherwise.
func (s Settings) MailOwner(uid, gid int) (int, int) {
	if n, err := strconv.Atoi(s.userField("uid")); err == nil {
		uid = n
	}
	if n, err := strconv.Atoi(s.userField("gid")); err == nil {
		gid = n
	}
	return uid, gid
}

// MailPaths are the whole paths at which the configuration keeps mail, variables
// and all.
func (s Settings) MailPaths() []string {
	paths := []string{s.userField("home")}
	for _, name := range mailPaths {
		paths = append(paths, s[name])
	}
	for part := range strings.SplitSeq(s["mail_location"], ":") {
		if key, path, ok := strings.Cut(part, "="); ok && key == strings.ToUpper(key) {
			part = path
		}
		paths = append(paths, part)
	}
	return slices.DeleteFunc(paths, func(path string) bool { return !strings.HasPrefix(path, "/") })
}
