package master

import (
	"net"
	"os"
	"path/filepath"
	"slices"
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
		if ports, err := listening(); err != nil || !ports[port] {
			t.Errorf("%s: port %d is not seen (%v)", address, port, err)
		}
		l.Close()
		if ports, err := listening(); err != nil || ports[port] {
			t.Errorf("%s: port %d is seen though nobody listens (%v)", address, port, err)
		}
	}
}

func TestReadSockets(t *testing.T) {
	table := filepath.Join(t.TempDir(), "tcp")
	text := `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0CEA 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1
   1: 0100007F:008F 0100007F:C000 01 00000000:00000000 00:00000000 00000000     0        0 1 1
   1: 0100007F:008F 0100007F:C002 01 00000000:00000000 00:00000000 00000000     0        0 0 1
   2: 00000000000000000000000000000000:03E1 00000000000000000000000000000000:0000 0A 00000000:00000000
   3: broken
   4: 0100007F:none 0100007F:C000 01
   5: 0100007F:008F 0100007F:C000 none
`
	if err := os.WriteFile(table, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var got []socket
	if err := eachSocket([]string{table}, func(s socket) { got = append(got, s) }); err != nil {
		t.Fatal(err)
	}
	want := []socket{{3306, stateListen, 1}, {143, stateEstablished, 1}, {143, stateEstablished, 0}, {993, stateListen, 0}}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// Only what a process has accepted, and not closed, has a place.
func TestCountConnections(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	count := func(want int, when string) {
		t.Helper()
		if got, err := CountConnections(map[int]bool{port: true}); err != nil || got[port] != want {
			t.Errorf("%s: counted %v (%v), want %d", when, got, err, want)
		}
	}
	var clients, accepted []net.Conn
	for range 3 {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		clients = append(clients, c)
	}
	count(0, "not accepted")
	for range 3 {
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		accepted = append(accepted, c)
	}
	count(3, "accepted")
	clients[0].Close()
	count(3, "left by its client")
	accepted[1].Close()
	count(2, "closed")
	if got, err := CountConnections(nil); err != nil || len(got) != 0 {
		t.Errorf("no ports: counted %v (%v)", got, err)
	}
}
