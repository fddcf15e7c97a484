package dovecot

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"pidgeon/config"
	"pidgeon/finding"
)

// Socket is a listener of a service.
type Socket struct {
	Service string
	Kind    string // InetListener or one of the two in the file system
	Name    string // of a socket in the file system, its path
}

// InetListener is the kind of a TCP socket.
const InetListener = "inet_listener"

var socketKinds = []string{InetListener, "unix_listener", "fifo_listener"}

// unnamedPrefix begins what Settings call a listener that has no name, which 2.3
// allows and 2.4 does not.
const unnamedPrefix = "#"

// Unnamed reports whether a socket has no name of its own.
func (s Socket) Unnamed() bool { return strings.HasPrefix(s.Name, unnamedPrefix) }

// Setting is the full name of one of the socket's settings.
func (s Socket) Setting(name string) string {
	return "service/" + s.Service + "/" + s.Kind + "/" + s.Name + "/" + name
}

// Sockets are all sockets of the configuration.
func (s Settings) Sockets() []Socket {
	var all []Socket
	seen := map[Socket]bool{}
	for _, setting := range slices.Sorted(maps.Keys(s)) {
		if socket, ok := socketOf(setting); ok && !seen[socket] {
			seen[socket] = true
			all = append(all, socket)
		}
	}
	return all
}

// Anvil is equal for configurations between which the master can go at a reload. It keeps
// anvil, and dies of signal 11 if that gets a listener that it did not have, or another type or
// protocol (2.3.13, 2.3.19, 2.4.1, 2.4.5).
func (s Settings) Anvil() string {
	open := map[string]bool{"unix_listener anvil": true, "unix_listener anvil-auth-penalty": true}
	for _, l := range s.Sockets() {
		if l.Service == "anvil" {
			off := cmp.Or(s[l.Setting("mode")], s[l.Setting("port")])
			open[l.Kind+" "+l.Name] = off == "" || strings.Trim(off, "0") != ""
		}
	}
	maps.DeleteFunc(open, func(_ string, open bool) bool { return !open })
	kind := append([]string{cmp.Or(s["service/anvil/type"], "anvil"), s["service/anvil/protocol"]}, slices.Sorted(maps.Keys(open))...)
	return strings.Join(kind, "; ")
}

// socketOf takes "service/auth/unix_listener//var/spool/…/auth/mode" apart.
func socketOf(setting string) (Socket, bool) {
	inside, ok := strings.CutPrefix(setting, "service/")
	end := strings.LastIndex(inside, "/")
	if !ok || end < 0 || strings.Count(inside[:end], "_listener/") > 1 { // one inside another is not opened (2.4.1)
		return Socket{}, false
	}
	for _, kind := range socketKinds {
		if service, name, ok := strings.Cut(inside[:end], "/"+kind+"/"); ok {
			return Socket{service, kind, name}, true
		}
	}
	return Socket{}, false
}

// SocketOf is a TCP socket as pidgeon's own templates name it.
func SocketOf(p config.Protocol, listener string) Socket {
	return Socket{p.Login, InetListener, listener}
}

// PortSettings are the names of the settings with the port of a listener, and whether it
// begins with TLS.
func PortSettings() []string {
	var names []string
	for _, p := range config.Protocols() {
		for _, name := range p.Listeners {
			names = append(names, SocketOf(p, name).Setting("port"), SocketOf(p, name).Setting("ssl"))
		}
	}
	return names
}

// Listeners are all TCP sockets of the configuration, those of overrides included. A name
// that two services use has the service in front, except for the names of pidgeon's own
// templates.
func (s Settings) Listeners() []config.Listener {
	var all []config.Listener
	sockets, named := s.Sockets(), map[string]int{}
	for _, l := range sockets {
		named[l.Name]++
	}
	for _, l := range sockets {
		port, set := s.Int(l.Setting("port"))
		name := l.Name
		if p, _ := config.ListenerOf(name); l.Unnamed() || named[name] > 1 && p.Login != l.Service {
			name = l.Service + " " + name
		}
		tls := s[l.Setting("ssl")] == "yes"
		if tls && s["ssl"] == "no" { // the master opens none (2.3.19, 2.4.1)
			continue
		}
		if l.Kind == InetListener && set && port != 0 && s.ServiceRuns(l.Service) {
			all = append(all, config.Listener{
				Name: name, Protocol: config.ProtocolOfService(l.Service), Port: port, Addresses: s.addresses(l),
				TLS: tls, HAProxy: s[l.Setting("haproxy")] == "yes",
			})
		}
	}
	return all
}

// addresses are the listener's own (address in 2.3, listen in 2.4), or everybody's.
func (s Settings) addresses(l Socket) []string {
	for _, name := range []string{l.Setting("address"), l.Setting("listen"), "listen"} {
		if list := strings.Trim(s[name], `"`); list != "" {
			return strings.FieldsFunc(list, func(r rune) bool { return strings.ContainsRune(", []", r) }) // [::] is ::
		}
	}
	return nil
}

// ServiceRuns reports whether a service runs: a login service only if its protocol is on,
// though its listeners are always in the settings; any other always.
func (s Settings) ServiceRuns(service string) bool {
	all := config.Protocols()
	i := slices.IndexFunc(all, func(p config.Protocol) bool { return p.Login == service })
	return i < 0 || s.ProtocolOn(all[i].Name)
}

// SocketFaults finds sockets whose paths are files, directories or other sockets: Dovecot
// removes a file there, its master dies of a directory, and it does not start with two
// sockets at one path (2.3.19, 2.4.1). runDir is RUN_DIR.
func (s Settings) SocketFaults(runDir string) finding.List {
	var found finding.List
	seen, places := map[string]bool{}, map[string]Socket{}
	for _, name := range []string{"auth-client", "auth-login", "auth-master", "auth-userdb"} { // by default (2.3.19, 2.4.1)
		if socket := (Socket{"auth", "unix_listener", name}); s[socket.Setting("mode")] != "0" {
			places[s.placeOf(socket)] = socket
		}
	}
	for _, socket := range s.Sockets() {
		if socket.Kind == InetListener {
			continue
		}
		if place := s.placeOf(socket); s[socket.Setting("mode")] != "0" {
			if other, taken := places[place]; taken && other != socket {
				found = append(found, finding.Finding{
					Code: finding.CannotListen, Hint: "leave one of them out",
					Problem: fmt.Sprintf("the sockets %s of %s and %s of %s are both %s", other.Name, other.Service, socket.Name, socket.Service, place),
				})
			}
			places[place] = socket
		}
		if seen[socket.Name] {
			continue
		}
		seen[socket.Name] = true
		if problem := socketProblem(socket.Name, runDir); problem != "" {
			found = append(found, finding.Finding{Code: finding.CannotListen, Problem: problem, Hint: "name a path of its own, in a directory that exists"})
		}
	}
	return found
}

// placeOf is the path of a socket, without links on the way.
func (s Settings) placeOf(socket Socket) string {
	path := socket.Name
	if !filepath.IsAbs(path) {
		path = filepath.Join(s["base_dir"], path)
	}
	for dir := filepath.Dir(path); dir != "/"; dir = filepath.Dir(dir) { // of what is there already
		if there, err := filepath.EvalSymlinks(dir); err == nil {
			return there + strings.TrimPrefix(path, dir)
		}
	}
	return path
}

func socketProblem(path, runDir string) string {
	if path == "master" {
		return "the socket master belongs to Dovecot's master"
	}
	if !strings.HasPrefix(path, "/") {
		return ""
	}
	if path == runDir || strings.HasPrefix(path, runDir+"/") {
		return fmt.Sprintf("the socket %s lies in RUN_DIR, which is pidgeon's", path)
	}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return ""
	case err != nil:
		return fmt.Sprintf("the socket %s cannot be made: %v", path, err)
	case info.Mode().Type()&(fs.ModeSocket|fs.ModeNamedPipe) == 0:
		return fmt.Sprintf("the socket %s would take the place of a file or directory", path)
	}
	return ""
}
