package rehearsal

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"pidgeon/config"
	"pidgeon/dovecot"
)

// private is the Dovecot that a rehearsal runs.
type private struct {
	Rehearsal
	dialect  string
	password string
	doveconf time.Duration // that its slowest answer took, which shows how busy the machine is
	proxied  proxied
}

// rehearsalUser logs in during a rehearsal, with a password made for it. It has a
// domain, so that a name is left of it whatever auth_username_format keeps.
const rehearsalUser = "pidgeon-rehearsal@rehearsal.invalid"

// strangerUser is in no database.
const strangerUser = "pidgeon-stranger@rehearsal.invalid"

// write makes the rehearsal's main file: the candidate's own, with the
// rehearsal's user before it, so that no backend is asked, and after it what
// moves everything out of the way of the live Dovecot.
func (p private) write(main, rehearsal string) error {
	text, err := os.ReadFile(main)
	if err != nil {
		return err
	}
	head, body := splitVersion(string(text))
	return os.WriteFile(rehearsal, []byte(head+p.user()+body+p.tail()), 0o640)
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

func (p private) user() string {
	if p.dialect == "2.3" {
		return fmt.Sprintf(`passdb {
  driver = static
  args = password=%s
}
userdb {
  driver = static
  args = uid=%d gid=%d home=%s allow_all_users=yes
}
`, p.password, p.UID, p.GID, p.path("home"))
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
`, p.password, p.UID, p.GID, p.path("home"))
}

func (p private) tail() string {
	var b strings.Builder
	set := func(name, value string) { fmt.Fprintf(&b, "%s = %s\n", name, value) }
	set("base_dir", p.path("base"))
	set("state_dir", p.path("state"))
	set("instance_name", "pidgeon-rehearsal")
	set("log_path", "/dev/stderr")
	set("log_timestamp", `"%b %d %H:%M:%S "`) // what is parted from complaints
	set("auth_ssl_require_client_cert", "no")
	// What names a user may have is no business of the rehearsal's.
	set("auth_username_chars", "")
	set("auth_failure_delay", "0")
	set("mail_chroot", "") // its home is nowhere in there
	// A host that no name server knows takes 8 s otherwise.
	if p.dialect == "2.3" {
		set("import_environment", "$import_environment RES_OPTIONS=timeout:1")
		set("ssl_verify_client_cert", "no")
		if mechanisms := p.Effective["auth_mechanisms"]; mechanisms != "" {
			set("auth_mechanisms", mechanisms+" plain")
		}
		if p.Effective["director_servers"] != "" { // whose ring needs a listener
			set("director_servers", "")
		}
	} else {
		set("ssl_server_request_client_cert", "no")
		b.WriteString("import_environment {\n  RES_OPTIONS = timeout:1\n}\n")
		b.WriteString("auth_mechanisms {\n  plain = yes\n}\n")
	}
	moved := p.Effective.WithMailBelow(p.path("home"))
	for _, name := range slices.Sorted(maps.Keys(moved)) {
		b.WriteString(nestedSetting(name, moved[name]))
	}
	for _, name := range slices.Sorted(maps.Keys(p.Effective)) {
		if path := p.Effective[name]; filepath.Base(name) == "auth_socket_path" && filepath.IsAbs(path) {
			b.WriteString(nestedSetting(name, p.authSocket(filepath.Base(path))))
		}
	}
	for _, name := range []string{"info_log_path", "debug_log_path"} {
		if p.Effective[name] != "" {
			set(name, "/dev/stderr")
		}
	}
	p.skipAfterLogin(&b)
	p.silence(&b)
	p.openSockets(&b)
	p.openProxied(&b)
	b.WriteString(p.listedPassdb())
	return b.String()
}

// skipAfterLogin leaves out programs that run after each login (executable = imap NAME), which
// may know other users alone.
func (p private) skipAfterLogin(b *strings.Builder) {
	for _, protocol := range config.Protocols() {
		program, after, _ := strings.Cut(p.Effective["service/"+protocol.Session+"/executable"], " ")
		if after != "" && filepath.Base(program) == protocol.Session { // not rawlog /path/to/imap
			fmt.Fprintf(b, "service %s {\n  executable = %s\n}\n", protocol.Session, program)
		}
	}
}

// authSocket is the rehearsal's own in the place of one of the live Dovecot's.
func (p private) authSocket(name string) string {
	if !slices.Contains(p.Effective.Sockets(), dovecot.Socket{Service: "auth", Kind: "unix_listener", Name: name}) {
		name = "auth-userdb"
	}
	return p.path("base/" + name)
}

// sectioned are the sections that have names.
var sectioned = []string{"namespace", "protocol", "sieve_script"}

// nestedSetting sets a setting by its full name.
func nestedSetting(name, value string) string {
	kind, rest, nested := strings.Cut(name, "/")
	if !nested {
		return fmt.Sprintf("%s = %s\n", name, value)
	}
	if slices.Contains(sectioned, kind) {
		var section string
		section, rest, _ = strings.Cut(rest, "/")
		kind += " " + quoted(section)
	}
	return kind + " {\n" + nestedSetting(rest, value) + "}\n"
}

// silence closes every listener that the live Dovecot has too. A socket with
// mode 0 is not made (2.3.19, 2.4.1: service.c); otherwise the rehearsal would
// take it away from the live one. One beside it shows that it could be made. Services
// that do not run are not named: from the login services that a configuration names
// 2.4.1 takes the group that may enter the directory of their sockets.
func (p private) silence(b *strings.Builder) {
	sockets := p.Effective.Sockets()
	for _, protocol := range config.Protocols() {
		for _, name := range protocol.Listeners {
			if l := dovecot.SocketOf(protocol, name); p.Effective.ProtocolOn(protocol.Name) && !slices.Contains(sockets, l) {
				sockets = append(sockets, l)
			}
		}
	}
	numbered := map[string]bool{} // services
	for _, s := range sockets {
		switch {
		case !p.Effective.ServiceRuns(s.Service):
		case s.Unnamed() && !numbered[s.Service]:
			numbered[s.Service] = true
			p.silenceUnnamed(b, s)
		case s.Kind == dovecot.InetListener && !s.Unnamed():
			writeSocket(b, s, "port = 0")
		case filepath.IsAbs(s.Name):
			writeSocket(b, s, "mode = 0")
			writeSocket(b, probe(s), "mode = 0600")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.Effective)) {
		if service, ok := strings.CutSuffix(strings.TrimPrefix(name, "service/"), "/process_min_avail"); ok && p.Effective[name] != "0" {
			fmt.Fprintf(b, "service %s {\n  process_min_avail = 0\n}\n", quoted(service))
		}
	}
}

// silenceUnnamed closes the listeners of a service that have no name. 2.3 calls
// sections without one by their number in the whole configuration, from 0 on
// (2.3.19: config-parser.c, section_counter); a number that is another section's makes
// a listener that is off. Two are in what precedes the candidate.
func (p private) silenceUnnamed(b *strings.Builder, s dovecot.Socket) {
	for n := range p.Config.UnnamedSections() + 2 {
		s.Name = strconv.Itoa(n)
		writeSocket(b, s, "port = 0")
	}
}

func writeSocket(b *strings.Builder, s dovecot.Socket, setting string) {
	fmt.Fprintf(b, "service %s {\n  %s %s {\n    %s\n  }\n}\n", quoted(s.Service), s.Kind, quoted(s.Name), setting)
}

// probe is a socket beside one in the file system.
func probe(s dovecot.Socket) dovecot.Socket {
	s.Name += ".rehearsal"
	return s
}

// probed are the directories of the probes.
func (p private) probed() (dirs []string) {
	for _, s := range p.Effective.Sockets() {
		if s.Kind != dovecot.InetListener && filepath.IsAbs(s.Name) {
			dirs = append(dirs, filepath.Dir(s.Name))
		}
	}
	return dirs
}

func (p private) removeProbes() {
	for _, s := range p.Effective.Sockets() {
		if s.Kind != dovecot.InetListener && filepath.IsAbs(s.Name) {
			os.Remove(probe(s).Name)
		}
	}
}

// openSockets gives each protocol that is on a socket that is the rehearsal's own.
func (p private) openSockets(b *strings.Builder) {
	for _, protocol := range config.Protocols() {
		if p.Effective.ProtocolOn(protocol.Name) {
			writeSocket(b, dovecot.Socket{Service: protocol.Login, Kind: "unix_listener", Name: p.path(protocol.Name)}, "mode = 0666")
		}
	}
}

// quoted is a name of a section as Dovecot reads it back.
func quoted(name string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `"`
}
