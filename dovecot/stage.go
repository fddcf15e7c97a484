package dovecot

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

// stage is what a rehearsal is played on.
type stage struct {
	Rehearsal
	dialect  string
	password string
}

// rehearsalUser logs in during a rehearsal, with a password made for it. It has a
// domain, so that a name is left of it whatever auth_username_format keeps.
const rehearsalUser = "pidgeon-rehearsal@rehearsal.invalid"

// write makes the rehearsal's main file: the candidate's own, with the
// rehearsal's user before it, so that no backend is asked, and after it what
// moves everything out of the way of the live Dovecot.
func (s stage) write(main, rehearsal string) error {
	text, err := os.ReadFile(main)
	if err != nil {
		return err
	}
	head, body := splitVersion(string(text))
	return os.WriteFile(rehearsal, []byte(head+s.user()+body+s.tail()), 0o640)
}

// splitVersion parts the lines that 2.4 wants first from the rest.
func splitVersion(text string) (head, body string) {
	end := 0
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "dovecot_") {
			end = strings.Index(text, line) + len(line)
		}
	}
	return text[:end], text[end:]
}

func (s stage) user() string {
	if s.dialect == "2.3" {
		return fmt.Sprintf(`passdb {
  driver = static
  args = password=%s
}
userdb {
  driver = static
  args = uid=%d gid=%d home=%s allow_all_users=yes
}
`, s.password, s.UID, s.GID, s.path("home"))
	}
	return fmt.Sprintf(`passdb pidgeon-rehearsal {
  driver = static
  passdb_static_password = %s
}
userdb pidgeon-rehearsal {
  driver = static
  userdb_static_allow_all_users = yes
  fields {
    uid = %d
    gid = %d
    home = %s
  }
}
`, s.password, s.UID, s.GID, s.path("home"))
}

func (s stage) tail() string {
	var b strings.Builder
	set := func(name, value string) { fmt.Fprintf(&b, "%s = %s\n", name, value) }
	set("base_dir", s.path("base"))
	set("state_dir", s.path("state"))
	set("instance_name", "pidgeon-rehearsal")
	set("log_path", "/dev/stderr")
	set("auth_ssl_require_client_cert", "no")
	// What names a user may have is no business of the rehearsal's.
	set("auth_username_chars", "")
	if s.dialect == "2.3" {
		set("ssl_verify_client_cert", "no")
		if mechanisms := s.Effective["auth_mechanisms"]; mechanisms != "" {
			set("auth_mechanisms", mechanisms+" plain")
		}
	} else {
		set("ssl_server_request_client_cert", "no")
		b.WriteString("auth_mechanisms {\n  plain = yes\n}\n")
	}
	s.moveMail(set)
	s.silence(&b)
	s.openSockets(&b)
	return b.String()
}

// moveMail keeps the rehearsal out of real mail: absolute paths are moved below
// its own directory, drivers and everything else stay.
func (s stage) moveMail(set func(name, value string)) {
	for _, name := range mailPaths {
		if path := s.Effective[name]; strings.HasPrefix(path, "/") {
			set(name, s.path("home")+path)
		}
	}
	location, ok := s.Effective["mail_location"]
	if !ok {
		return
	}
	parts := strings.Split(location, ":")
	for i, part := range parts {
		key, path, assigned := strings.Cut(part, "=")
		switch {
		case strings.HasPrefix(part, "/"):
			parts[i] = s.path("home") + part
		case assigned && strings.HasPrefix(path, "/"):
			parts[i] = key + "=" + s.path("home") + path
		}
	}
	set("mail_location", strings.Join(parts, ":"))
}

// silence closes every listener that the live Dovecot has too. A socket with
// mode 0 is not made (2.3.19, 2.4.1: service.c); otherwise the rehearsal would
// take it away from the live one. One beside it shows that it could be made.
func (s stage) silence(b *strings.Builder) {
	ports := map[string]bool{}
	for name := range s.Effective {
		if strings.Contains(name, "/inet_listener/") {
			ports[strings.Join(strings.Split(name, "/")[:4], "/")] = true
		}
	}
	for _, l := range listeners {
		if s.Effective.On(protocolOf(l)) {
			ports["service/"+l[0]+"/inet_listener/"+l[1]] = true
		}
	}
	for _, listener := range slices.Sorted(maps.Keys(ports)) {
		part := strings.Split(listener, "/")
		fmt.Fprintf(b, "service %s {\n  inet_listener %s {\n    port = 0\n  }\n}\n", part[1], part[3])
	}
	for _, name := range slices.Sorted(maps.Keys(s.Effective)) {
		if service, kind, path, ok := absoluteSocket(name); ok {
			fmt.Fprintf(b, "service %s {\n  %s %s {\n    mode = 0\n  }\n  %s %s {\n    mode = 0600\n  }\n}\n", service, kind, path, kind, path+probeSuffix)
		}
		if strings.HasSuffix(name, "/process_min_avail") {
			fmt.Fprintf(b, "service %s {\n  process_min_avail = 0\n}\n", strings.Split(name, "/")[1])
		}
	}
}

const probeSuffix = ".rehearsal"

func (s stage) removeProbes() {
	for name := range s.Effective {
		if _, _, path, ok := absoluteSocket(name); ok {
			os.Remove(path + probeSuffix)
		}
	}
}

// absoluteSocket takes "service/auth/unix_listener//var/spool/…/auth/mode" apart.
func absoluteSocket(name string) (service, kind, path string, ok bool) {
	for _, kind := range []string{"unix_listener", "fifo_listener"} {
		before, after, found := strings.Cut(name, "/"+kind+"//")
		if found {
			return strings.TrimPrefix(before, "service/"), kind, "/" + after[:max(0, strings.LastIndex(after, "/"))], true
		}
	}
	return "", "", "", false
}

func (s stage) openSockets(b *strings.Builder) {
	for _, scene := range scenes {
		if s.Effective.On(scene.protocol) {
			fmt.Fprintf(b, "service %s {\n  unix_listener %s {\n    mode = 0666\n  }\n}\n", scene.service, s.path(scene.protocol))
		}
	}
}
