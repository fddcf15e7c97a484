package dovecot

import (
	"net"
	"os"
	"path/filepath"
	"testing"
)

func TestListening(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Logf("no %s here: %v", address, err)
			continue
		}
		port := l.Addr().(*net.TCPAddr).Port
		if ports, err := Listening(); err != nil || !ports[port] {
			t.Errorf("%s: port %d is not seen (%v)", address, port, err)
		}
		l.Close()
		if ports, err := Listening(); err != nil || ports[port] {
			t.Errorf("%s: port %d is seen though nobody listens (%v)", address, port, err)
		}
	}
}

func TestReadListening(t *testing.T) {
	table := filepath.Join(t.TempDir(), "tcp")
	text := `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0CEA 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1
   1: 0100007F:008F 0100007F:C000 01 00000000:00000000 00:00000000 00000000     0        0 1 1
   2: 00000000000000000000000000000000:03E1 00000000000000000000000000000000:0000 0A 00000000:00000000
   3: broken
`
	if err := os.WriteFile(table, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ports := map[int]bool{}
	if err := readListening(table, ports); err != nil {
		t.Fatal(err)
	}
	if len(ports) != 2 || !ports[3306] || !ports[993] {
		t.Errorf("got %v, want 993 and 3306", ports)
	}
}
