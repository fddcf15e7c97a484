package dovecot

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"pidgeon/config"
	"pidgeon/finding"
	"pidgeon/lazyregexp"
)

// Settings are effective values by their full names, such as
// "service/imap-login/process_limit", with the names of sections unescaped.
type Settings map[string]string

// ParseDump parses the output of doveconf, which has full names (2.3, asked for a setting) or
// sections. Sections without a name that do not merge get numbers.
func ParseDump(dump string) Settings {
	s := Settings{}
	sections := []string{""} // each with those around it, and a slash at its end
	unnamed := map[string]int{}
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
			if name == "" && UnnamedSectionsAddUp(word) {
				unnamed[word]++
				name = unnamedPrefix + strconv.Itoa(unnamed[word])
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

// Int returns a number; ok is false if the setting is missing or no number.
func (s Settings) Int(name string) (n int, ok bool) {
	n, err := strconv.Atoi(s[name])
	return n, err == nil
}

// ProtocolOn reports whether a protocol is on: 2.3 lists them, 2.4 has a setting for each.
func (s Settings) ProtocolOn(protocol string) bool {
	listed := strings.Fields(strings.Trim(s["protocols"], `"`))
	return slices.Contains(listed, protocol) || s["protocols/"+protocol] == "yes"
}

// HasDefaultCertificate reports whether a protocol has a certificate for clients that ask for
// no name, or an unknown one.
func (s Settings) HasDefaultCertificate(protocol string) bool {
	for _, setting := range []string{"ssl_cert", "ssl_server/cert_file", "ssl_server_cert_file"} {
		if s[setting] != "" || s["protocol/"+protocol+"/"+setting] != "" {
			return true
		}
	}
	return false
}

// AnyProtocolOn reports whether any protocol is on.
func (s Settings) AnyProtocolOn() bool {
	return slices.ContainsFunc(config.Protocols(), func(p config.Protocol) bool { return s.ProtocolOn(p.Name) })
}

var instance = lazyregexp.New(`/#\d+`)

// SettingName is the full name of a setting that a person wrote with blanks or slashes.
func SettingName(words ...string) string {
	name := strings.Join(strings.Fields(strings.Join(words, " ")), "/")
	return instance.ReplaceAllString(name, "")
}

// SettingScope describes the section that a setting is in.
func SettingScope(setting string) string {
	parts := strings.Split(setting, "/")
	switch {
	case len(parts) < 2:
		return "everywhere, unless a section says otherwise"
	case parts[0] == "protocol" && len(parts) == 3:
		return "in " + parts[1] + " sessions"
	}
	return "in " + strings.Join(parts[:len(parts)-1], " ")
}

// LimitSettings are the names of the limits of a service. service_count is of 2.3,
// restart_request_count of 2.4.
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

// UnsetOwned finds owned settings that nothing sets, because an operator's template has
// replaced the one that does.
func (s Settings) UnsetOwned(owned map[string]string) finding.List {
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
	// mailPathSetting are the settings, in whatever section, that say where a session finds mail
	// and what belongs to it, or makes it. A section without a name cannot be set again.
	mailPathSetting = lazyregexp.New(`(?:^|/)(?:mail_location|namespace/[^/#][^/]*/location|plugin/sieve|plugin/sieve_dir|mail_attachment_dir|mail_ext_attachment_path|sieve_script/personal/(?:active_)?path|` + strings.Join(mailPaths, "|") + `)$`)
	// wholePath is how a path that begins at the root begins within them.
	wholePath = lazyregexp.New(`(?:^|[:;])(?:[^:;=]*=)?/`)
)

// WithMailBelow are settings that move all absolute mail paths below a directory. Drivers and
// paths in a user's home stay.
func (s Settings) WithMailBelow(dir string) Settings {
	moved := Settings{}
	for name, value := range s {
		if mailPathSetting.MatchString(name) && wholePath.MatchString(value) {
			moved[name] = wholePath.ReplaceAllStringFunc(value, func(match string) string {
				return strings.TrimSuffix(match, "/") + dir + "/"
			})
		}
	}
	return moved
}

// UnnamedSectionsAddUp reports whether unnamed sections of a kind stay separate in 2.3, as
// passdb { } does, instead of merging.
func UnnamedSectionsAddUp(kind string) bool {
	return slices.Contains(socketKinds, kind) || slices.Contains([]string{"passdb", "userdb", "namespace"}, kind)
}

// firstUserdb is the beginning of the names of what the first userdb sets, empty if there is
// none; that of the templates comes last.
func (s Settings) firstUserdb() string {
	names := map[string]bool{}
	for setting := range s {
		if parts := strings.Split(setting, "/"); parts[0] == "userdb" && len(parts) > 2 {
			names[parts[1]] = true
		}
	}
	if len(names) > 1 {
		delete(names, "users")
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		return "userdb/" + name + "/"
	}
	return ""
}

// StaticUsers reports whether the first userdb says the same of every user.
func (s Settings) StaticUsers() bool { return s[s.firstUserdb()+"driver"] == "static" }

// userField is what the first userdb gives every user as a field. 2.4 shows each, 2.3 all in
// one value.
func (s Settings) userField(field string) string {
	userdb := s.firstUserdb()
	given := s[userdb+"override_fields"] + " " + s[userdb+"default_fields"]
	if s.StaticUsers() {
		given += " " + s[userdb+"args"]
	}
	for arg := range strings.FieldsSeq(given) {
		if value, ok := strings.CutPrefix(strings.Trim(arg, `"`), field+"="); ok {
			return value
		}
	}
	return s[userdb+"fields/"+field]
}

// MailOwner is the owner of all mail, by name or number; empty if users have owners of their
// own, or none is set.
func (s Settings) MailOwner() (uid, gid string) {
	return cmp.Or(s.userField("uid"), s["mail_uid"]), cmp.Or(s.userField("gid"), s["mail_gid"])
}

// SetsOwner reports whether the first userdb gives every user the same owner.
func (s Settings) SetsOwner() bool {
	userdb := s.firstUserdb()
	return s.StaticUsers() || s[userdb+"fields/uid"] != "" || strings.Contains(" "+s[userdb+"override_fields"], " uid=")
}

// NearestValidID is the ID nearest to id that Dovecot accepts for mail; kind is uid or gid.
func (s Settings) NearestValidID(kind string, id int) int {
	first, _ := s.Int("first_valid_" + kind)
	last, _ := s.Int("last_valid_" + kind)
	if id = max(id, first); last > 0 {
		id = min(id, last)
	}
	return id
}

// MailPaths are the absolute paths of users' own mail, with variables: those for all, and
// those of the namespace with the INBOX.
func (s Settings) MailPaths() []string {
	paths := []string{cmp.Or(s.userField("home"), s["mail_home"])}
	locations := []string{s["mail_location"]}
	for _, name := range mailPaths {
		paths = append(paths, s[name])
	}
	for _, setting := range slices.Sorted(maps.Keys(s)) {
		if namespace, ok := strings.CutSuffix(setting, "/inbox"); ok && s[setting] == "yes" && strings.HasPrefix(setting, "namespace/") {
			locations = append(locations, s[namespace+"/location"])
			for _, name := range mailPaths {
				paths = append(paths, s[namespace+"/"+name])
			}
		}
	}
	for part := range strings.SplitSeq(strings.Join(locations, ":"), ":") {
		if key, path, ok := strings.Cut(part, "="); ok && key == strings.ToUpper(key) {
			part = path
		}
		paths = append(paths, part)
	}
	return slices.DeleteFunc(paths, func(path string) bool { return !strings.HasPrefix(path, "/") })
}
