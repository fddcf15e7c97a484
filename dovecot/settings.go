package dovecot

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"pidgeon/finding"
)

// Settings are effective values by their full name, as in
// "service/imap-login/process_limit". The name of a section is in there as it is,
// blanks and slashes included.
type Settings map[string]string

// ParseDump reads what doveconf prints: asked for a setting, 2.3 prints full names;
// everything else it prints, and all that 2.4 does, stands in its sections. Listeners
// that 2.3 allows to have no name are numbered: each is one of its own.
func ParseDump(dump string) Settings {
	s := Settings{}
	sections := []string{""} // each with those around it, and a slash at its end
	unnamed := 0
	for line := range strings.Lines(dump) {
		line = strings.TrimSpace(line)
		word, rest, _ := strings.Cut(line, " ")
		around := sections[len(sections)-1]
		switch value, assigned := strings.CutPrefix(rest, "="); {
		case assigned:
			s[around+word] = strings.TrimSpace(value)
		case line == "}":
			sections = sections[:max(1, len(sections)-1)]
		case strings.HasSuffix(line, " {"):
			name := sectionName(strings.TrimSuffix(rest, "{"))
			if name == "" && slices.Contains(socketKinds, word) {
				unnamed++
				name = unnamedPrefix + strconv.Itoa(unnamed)
			}
			if name != "" {
				word += "/" + name
			}
			sections = append(sections, around+word+"/")
		}
	}
	return s
}

// sectionName undoes the quotes around a name with blanks.
func sectionName(name string) string {
	name = strings.TrimSpace(name)
	if inner, ok := strings.CutPrefix(name, `"`); ok {
		name = strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\'`, `'`).Replace(strings.TrimSuffix(inner, `"`))
	}
	return name
}

// Int returns a number; ok is false where it is not set or is none.
func (s Settings) Int(name string) (n int, ok bool) {
	n, err := strconv.Atoi(s[name])
	return n, err == nil
}

// On reports whether a protocol is on: 2.3 lists them, 2.4 has a setting for each.
func (s Settings) On(protocol string) bool {
	listed := strings.Fields(strings.Trim(s["protocols"], `"`))
	return slices.Contains(listed, protocol) || s["protocols/"+protocol] == "yes"
}

var instance = regexp.MustCompile(`/#\d+`)

// FullName takes a setting as people write it: service imap-login process_limit,
// or with slashes.
func FullName(words ...string) string {
	name := strings.Join(strings.Fields(strings.Join(words, " ")), "/")
	return instance.ReplaceAllString(name, "")
}

// Scope says where a setting holds.
func Scope(setting string) string {
	parts := strings.Split(setting, "/")
	switch {
	case len(parts) < 2:
		return "everywhere, unless a section says otherwise"
	case parts[0] == "protocol" && len(parts) == 3:
		return "in " + parts[1] + " sessions"
	}
	return "in " + strings.Join(parts[:len(parts)-1], " ")
}

// LimitSettings are the names of the settings that bound a service. service_count is of
// 2.3, restart_request_count of 2.4.
func LimitSettings(service string) (names []string) {
	for _, limit := range []string{"process_limit", "client_limit", "service_count", "restart_request_count", "process_min_avail", "vsz_limit"} {
		names = append(names, "service/"+service+"/"+limit)
	}
	return names
}

// unlimited is how sizes say that a process is never replaced.
const unlimited = -1

// Limits returns the limits of a service: how many processes, clients of each,
// and clients until a process is replaced.
func (s Settings) Limits(service string) (processes, clients, requests int, ok bool) {
	prefix := "service/" + service + "/"
	processes, ok = s.orDefault(prefix+"process_limit", "default_process_limit")
	clients, ok2 := s.orDefault(prefix+"client_limit", "default_client_limit")
	count, _ := s.Int(prefix + "service_count")
	restart, _ := s.Int(prefix + "restart_request_count")
	requests = cmp.Or(count, restart, unlimited)
	if requests > 0 { // no process is given more (2.3.19, 2.4.1: master/service.c)
		clients = min(clients, requests)
	}
	return processes, clients, requests, ok && ok2
}

// orDefault resolves 0, which in 2.3 stands for the default.
func (s Settings) orDefault(name, fallback string) (int, bool) {
	if n, ok := s.Int(name); ok && n != 0 {
		return n, true
	}
	if s[name] == "unlimited" {
		return 1 << 20, true
	}
	return s.Int(fallback)
}

// Unset finds owned settings that nothing sets, which takes a template of the
// operator's in the place of pidgeon's own.
func (s Settings) Unset(owned map[string]string) finding.List {
	var found finding.List
	for _, name := range slices.Sorted(maps.Keys(owned)) {
		if s[name] != owned[name] {
			found = append(found, finding.Finding{
				Code:    finding.OwnedSetting,
				Problem: fmt.Sprintf("%s is %q, and pidgeon needs it to be %q", name, s[name], owned[name]),
				Hint:    "set it in the template that you have replaced",
			})
		}
	}
	return found
}

// mailPaths are where 2.4 keeps mail and what belongs to it.
var mailPaths = []string{
	"mail_path", "mail_inbox_path", "mail_index_path", "mail_control_path",
	"mail_volatile_path", "mail_alt_path", "mail_cache_path", "mail_index_private_path",
}

var (
	// placing are the settings, in whatever section, that say where a session finds mail
	// and what belongs to it, or makes it.
	placing = regexp.MustCompile(`(?:^|/)(?:mail_location|namespace/[^/]+/location|plugin/sieve|plugin/sieve_dir|mail_attachment_dir|mail_ext_attachment_path|sieve_script/personal/(?:active_)?path|` + strings.Join(mailPaths, "|") + `)$`)
	// wholePath is how a path that begins at the root begins within them.
	wholePath = regexp.MustCompile(`(?:^|[:;])(?:[^:;=]*=)?/`)
)

// MailBelow are settings that move all mail with a whole path below a directory. Drivers,
// and what lies in a user's home, stay as they are.
func (s Settings) MailBelow(dir string) Settings {
	moved := Settings{}
	for name, value := range s {
		if placing.MatchString(name) && wholePath.MatchString(value) {
			moved[name] = wholePath.ReplaceAllStringFunc(value, func(match string) string {
				return strings.TrimSuffix(match, "/") + dir + "/"
			})
		}
	}
	return moved
}

// userField is the value of a setting mail_NAME, which is what users have of whom no
// database says other; an override's static userdb may. 2.4 shows a field of such a one
// by itself, 2.3 all in the arguments of the last userdb.
func (s Settings) userField(name string) string {
	if s["userdb/driver"] == "static" {
		for arg := range strings.FieldsSeq(strings.Trim(s["userdb/args"], `"`)) {
			if value, ok := strings.CutPrefix(arg, name+"="); ok {
				return value
			}
		}
	}
	return cmp.Or(s["userdb/users/fields/"+name], s["mail_"+name])
}

// MailOwner is who owns mail: uid and gid, unless an override says otherwise.
func (s Settings) MailOwner(uid, gid int) (int, int) {
	for field, id := range map[string]*int{"uid": &uid, "gid": &gid} {
		if n, err := strconv.Atoi(s.userField(field)); err == nil {
			*id = n
		}
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
