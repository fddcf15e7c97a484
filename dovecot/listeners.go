package dovecot

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// listeners are the TCP listeners of the protocols, by service and name.
var listeners = [...][2]string{
	{"imap-login", "imap"},
	{"imap-login", "imaps"},
	{"pop3-login", "pop3"},
	{"pop3-login", "pop3s"},
	{"lmtp", "lmtp"},
	{"managesieve-login", "sieve"},
	{"submission-login", "submission"},
	{"submission-login", "submissions"},
}

// PortSettings are the names of the settings that hold the listeners' ports.
func PortSettings() []string {
	var names []string
	for _, l := range listeners {
		names = append(names, portSetting(l))
	}
	return names
}

func protocolOf(l [2]string) string { return strings.TrimSuffix(l[1], "s") }

func portSetting(l [2]string) string {
	return "service/" + l[0] + "/inet_listener/" + l[1] + "/port"
}

// Ports are the listeners' ports, by name of the listener. protocols are those
// that are on; the others' listeners have settings too, and do not exist.
func (s Settings) Ports(protocols []string) map[string]int {
	ports := map[string]int{}
	for _, l := range listeners {
		port, ok := s.Int(portSetting(l))
		if !ok || port == 0 {
			continue
		}
		for _, p := range protocols {
			if protocolOf(l) == p {
				ports[l[1]] = port
			}
		}
	}
	return ports
}

// Listening returns the TCP ports that somebody in this network namespace
// listens on. It looks instead of connecting: a probe that connects takes a
// place from a user when all are taken, and then fails though nothing is wrong.
func Listening() (map[int]bool, error) {
	ports := map[int]bool{}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		err := readListening(table, ports)
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // no IPv6
			return nil, fmt.Errorf("reading %s: %w", table, err)
		}
	}
	return ports, nil
}

const stateListen = "0A"

// readListening reads lines like "  0: 0100007F:0CEA 00000000:0000 0A …".
func readListening(table string, ports map[int]bool) error {
	f, err := os.Open(table)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || fields[3] != stateListen {
			continue
		}
		_, hex, _ := strings.Cut(fields[1], ":")
		if port, err := strconv.ParseUint(hex, 16, 16); err == nil {
			ports[int(port)] = true
		}
	}
	return lines.Err()
}
