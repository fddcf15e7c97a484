package candidate

import (
	"context"
	"encoding/binary"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// What a name has answered with in each poll, and what it is taken for.
func TestBackendLookup(t *testing.T) {
	for _, tt := range []struct {
		name    string
		answers string // one a poll; ? is none
		want    string
	}{
		{"all at once", "a,b", "a,b"},
		{"one more", "a,b a,b,c", "a,b,c"},
		{"missing for a moment", "a,b a", "a,b"},
		{"and again and again", "a,b a a,b a a,b a a,b a", "a,b"},
		{"told in parts", "a,b b,c c,d d,a a,b b,c c,d", "a,b,c,d"},
		{"gone", "a,b a a a a", "a"},
		{"gone, and there again", "a,b a a a a a,b", "a,b"},
		{"one for another", "a,b a,c a,c a,c a,c", "a,c"},
		{"no answer", "a,b ? ? ? ? ? ?", "a,b"},
		{"and then one without it", "a,b ? ? ? ? ? a", "a,b"},
		{"never any", "? ?", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var a BackendLookup
			now := time.Now()
			for answer := range strings.FieldsSeq(tt.answers) {
				if answer == "?" {
					a = a.merge("tasks.mail", nil, "has no address", now)
				} else {
					a = a.merge("tasks.mail", strings.Split(answer, ","), "", now)
				}
				now = now.Add(BackendsMaxAge)
			}
			if got := strings.Join(slices.Sorted(maps.Keys(a.Addresses)), ","); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if other := a.merge("other.mail", []string{"x"}, "", now); len(other.Addresses) != 1 {
				t.Errorf("another name has %v", other.Addresses)
			}
		})
	}
}

// answering has DNS answer each question for IPv4 addresses with these.
func answering(t *testing.T, addresses ...[4]byte) {
	t.Helper()
	before := net.DefaultResolver
	t.Cleanup(func() { net.DefaultResolver = before })
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe() // a stream, in which a length goes before each message
		go func() {
			defer theirs.Close()
			var size [2]byte
			if _, err := io.ReadFull(theirs, size[:]); err != nil {
				return
			}
			query := make([]byte, binary.BigEndian.Uint16(size[:]))
			if _, err := io.ReadFull(theirs, query); err != nil {
				return
			}
			end := 12
			for query[end] != 0 {
				end += 1 + int(query[end])
			}
			answer := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, query[12:end+5]...)
			if query[end+2] == 1 { // IPv4
				binary.BigEndian.PutUint16(answer[6:], uint16(len(addresses)))
				for _, a := range addresses {
					answer = append(answer, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, a[0], a[1], a[2], a[3])
				}
			}
			_, _ = theirs.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
		}()
		return ours, nil
	}}
}

// Whatever DNS answers is bounded, and moves nobody to where no host is.
func TestHostileAnswers(t *testing.T) {
	for _, tt := range []struct {
		name      string
		addresses [][4]byte
		want      string
	}{
		{"two", [][4]byte{{10, 0, 0, 1}, {10, 0, 0, 2}}, "10.0.0.1,10.0.0.2: "},
		{"the same twice", [][4]byte{{10, 0, 0, 1}, {10, 0, 0, 1}}, "10.0.0.1,10.0.0.1: "},
		{"none", nil, ": has no address"},
		{"too many", slices.Repeat([][4]byte{{10, 0, 0, 1}}, 4000), ": has more than 64 addresses"},
		{"any host", [][4]byte{{10, 0, 0, 1}, {0, 0, 0, 0}}, ": has an address that no host can have"},
		{"many hosts", [][4]byte{{224, 0, 0, 1}}, ": has an address that no host can have"},
		{"all hosts", [][4]byte{{255, 255, 255, 255}}, ": has an address that no host can have"},
	} {
		answering(t, tt.addresses...)
		addresses, problem := lookUp("tasks.mail.")
		slices.Sort(addresses)
		if got := strings.Join(addresses, ",") + ": " + problem; got != tt.want {
			t.Errorf("%s: got %s", tt.name, got)
		}
	}
}
