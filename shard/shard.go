// Package shard says which backend holds whose mail. Users fall into a fixed number of
// shards by their names, and each shard belongs to the backend that is the highest in an
// order of its own (rendezvous hashing): every proxy comes to the same table without
// asking anybody, and a backend more takes a share of each of the others and moves
// nothing else.
package shard

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"
)

// Count is the number of shards. It never changes: mail would be at the wrong place.
const Count = 256

// Table has the backend of each shard.
type Table [Count]string

// Assign gives each shard to one of the backends, whatever the order of those.
func Assign(backends []string) (t Table) {
	for shard := range t {
		var highest [sha256.Size]byte
		for _, backend := range backends {
			if rank := sha256.Sum256(fmt.Appendf(nil, "%s %s", Name(shard), backend)); t[shard] == "" || bytes.Compare(rank[:], highest[:]) > 0 {
				t[shard], highest = backend, rank
			}
		}
	}
	return t
}

// PasswdRow is a line of a passwd-file that passes users with a key on to a host, with other
// fields for the login process if there are any. It is the same in both dialects. A refused
// user gets a host that cannot be found, not a wrong password, and nodelay, because auth of
// both would hold the failure against the address, whose next login would wait up to 15 s. An
// address may have a name, which its certificate has to match.
func PasswdRow(key, host, name, fields string) string {
	if name != "" {
		host = name + " hostip=" + host
	}
	return strings.TrimRight(fmt.Sprintf("%s:::::::proxy=y nopassword=y nodelay=y host=%s %s", key, host, fields), " ") + "\n"
}

// Parse reads the rows of all shards, in their order.
func Parse(rows string) (t Table, ok bool) {
	shard := 0
	for row := range strings.Lines(rows) {
		_, of, found := strings.Cut(row, " host=")
		if !found || shard == Count {
			return Table{}, false
		}
		fields := strings.Fields(of)
		t[shard] = fields[0]
		if len(fields) > 1 {
			if address, named := strings.CutPrefix(fields[1], "hostip="); named {
				t[shard] = address
			}
		}
		shard++
	}
	return t, shard == Count
}

// Of is the shard of a user: the first byte of the MD5 of the name as Dovecot has it, in
// lower case. Both dialects can compute that (2.3.19: %{md5;truncate=8:user}; 2.4.1:
// %{user | md5 | hexlify | substr(0, 2)}).
func Of(user string) int { return int(md5.Sum([]byte(strings.ToLower(user)))[0]) }

// Name is how a shard is called: two hexadecimal digits.
func Name(shard int) string { return fmt.Sprintf("%02x", shard) }

// Number is the shard of a name as Name gives it.
func Number(name string) int {
	n, _ := strconv.ParseUint(name, 16, 8)
	return int(n)
}

// Move is from one backend to another.
type Move struct{ From, To string }

// Moves are the names of the shards that another table has elsewhere.
func (t Table) Moves(to Table) map[Move][]string {
	moves := map[Move][]string{}
	for shard, from := range t {
		if m := (Move{from, to[shard]}); m.From != m.To {
			moves[m] = append(moves[m], Name(shard))
		}
	}
	return moves
}
