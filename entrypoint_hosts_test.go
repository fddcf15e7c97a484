package main

import (
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"pidgeon/shard"
	"pidgeon/tests/pidgeontest"
)

// hosts is a database that says whose mail is elsewhere than the names of backends say.
// Its scripts get a directory, a port, and users with their hosts.
type hosts struct {
	serve   string // in the background, before fill; empty: it is a file
	fill    string
	environ func(dir, port string) map[string]string
}

var hostsIn = map[string]hosts{
	"sqlite": {"", `
python3 - "$@" <<'END'
import sqlite3, sys
dir, port, *rows = sys.argv[1:]
with sqlite3.connect(dir + '/hosts.db') as db:
    db.execute('CREATE TABLE hosts (name, host)')
    db.executemany('INSERT INTO hosts VALUES (?, ?)', [row.split('=') for row in rows])
END
`, func(dir, _ string) map[string]string {
		return map[string]string{"SQL_DRIVER": "sqlite", "SQL_DATABASE": dir + "/hosts.db", "SQL_BACKEND_QUERY": "SELECT host FROM hosts WHERE name = '%{user}'"}
	}},
	"postgresql": {`
as="setpriv --reuid=65534 --regid=65534 --clear-groups env HOME=/ PATH=$(echo /usr/lib/postgresql/*/bin | tr ' ' :):$PATH"
install -d -o 65534 -g 65534 "$1/data"
$as initdb -D "$1/data" -U postgres --no-sync --auth-local=trust --auth-host=scram-sha-256
exec $as postgres -D "$1/data" -F -k "$1/data" -h 127.0.0.1 -p "$2"
`, `
dir=$1 port=$2; shift 2
PATH=$(echo /usr/lib/postgresql/*/bin | tr ' ' :):$PATH
until pg_isready -q -h "$dir/data" -p "$port"; do sleep 0.05; done
{
	echo "CREATE TABLE hosts (name text, host text); CREATE USER reader PASSWORD 'it''s'; GRANT SELECT ON hosts TO reader;"
	for row; do echo "INSERT INTO hosts VALUES ('${row%=*}', '${row#*=}');"; done
} | psql -qX -v ON_ERROR_STOP=1 -h "$dir/data" -p "$port" -U postgres
`, func(_, port string) map[string]string {
		return map[string]string{
			"SQL_HOST": "127.0.0.1", "SQL_PORT": port, "SQL_DATABASE": "postgres", "SQL_USER": "reader", "SQL_PASSWORD": "it's",
			"SQL_BACKEND_QUERY": "SELECT host FROM hosts WHERE name = '%{username}'",
		}
	}},
	"mariadb": {`
as="setpriv --reuid=65534 --regid=65534 --clear-groups env HOME=/ TMPDIR=$1/data"
install -d -o 65534 -g 65534 "$1/data"
$as mariadb-install-db --no-defaults --datadir="$1/data" --auth-root-authentication-method=normal --skip-test-db
trap 'kill $server' INT # of which mariadbd takes no notice
$as mariadbd --no-defaults --datadir="$1/data" --socket="$1/data/socket" --bind-address=127.0.0.1 --port="$2" --innodb-flush-log-at-trx-commit=0 &
server=$!
wait $server
wait $server
`, `
dir=$1; shift 2
until mariadb --no-defaults --socket="$dir/data/socket" -u root -e "" 2>/dev/null; do sleep 0.05; done
{
	echo "CREATE DATABASE mail; CREATE TABLE mail.hosts (name text, host text);"
	for at in localhost %; do echo "CREATE USER reader@'$at' IDENTIFIED BY 'it''s'; GRANT SELECT ON mail.* TO reader@'$at';"; done
	for row; do echo "INSERT INTO mail.hosts VALUES ('${row%=*}', '${row#*=}');"; done
} | mariadb --no-defaults --socket="$dir/data/socket" -u root
`, func(_, port string) map[string]string {
		return map[string]string{
			"SQL_DRIVER": "mysql", "SQL_HOST": "127.0.0.1", "SQL_PORT": port, "SQL_DATABASE": "mail", "SQL_USER": "reader", "SQL_PASSWORD": "it's",
			"SQL_BACKEND_QUERY": "SELECT host FROM hosts WHERE name = '%{user}'",
		}
	}},
	"ldap": {`
dir=$1 port=$2; shift 2
mkdir "$dir/db"
cat >"$dir/slapd.conf" <<END
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
database mdb
maxsize 10485760
directory $dir/db
suffix dc=example
END
{
	printf 'dn: dc=example\nobjectClass: dcObject\nobjectClass: organization\no: example\ndc: example\n\n'
	for row; do printf 'dn: uid=%s,dc=example\nobjectClass: inetOrgPerson\nuid: %s\ncn: x\nsn: x\nroomNumber: %s\n\n' "${row%=*}" "${row%=*}" "${row#*=}"; done
	printf 'dn: uid=user1,dc=example\nobjectClass: inetOrgPerson\nuid: user1\ncn: x\nsn: x\n' # has no host
} | slapadd -f "$dir/slapd.conf"
exec slapd -f "$dir/slapd.conf" -h "ldap://127.0.0.1:$port" -d 0
`, `
until (: <"/dev/tcp/127.0.0.1/$2") 2>/dev/null; do sleep 0.05; done
`, func(_, port string) map[string]string {
		return map[string]string{"LDAP_URI": "ldap://127.0.0.1:" + port, "LDAP_BASE": "dc=example", "LDAP_BACKEND_ATTRIBUTE": "roomNumber"}
	}},
}

// TestHosts has a database say whose mail is elsewhere than the names of the backends say:
// proxies pass them on to there, and the backends serve them there alone.
func TestHosts(t *testing.T) {
	t.Parallel()
	need(t, "python3", "slapd", "mariadbd", "dnsmasq")
	if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres"); len(found) == 0 {
		pidgeontest.Gap(t, "postgresql is not installed: run tools/test.sh")
	}
	binary := built(t)
	pidgeontest.OnEach(t, func(t *testing.T, _, root string) {
		t.Parallel()
		for name, database := range hostsIn {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				testHosts(newSite(t, root, binary), database)
			})
		}
		for _, name := range []string{"postgresql", "ldap"} {
			t.Run(name+" beside DNS", func(t *testing.T) {
				t.Parallel()
				s := newSite(t, root, binary)
				s.name = "tasks.mail"
				s.newResolver()
				testHosts(s, hostsIn[name])
			})
		}
	})
}

func testHosts(s *site, database hosts) {
	here, there := s.address(0), s.address(1)
	table := shard.Assign([]string{here, there})
	other := map[string]string{here: there, there: here}
	moved, named := userOf(table, here), "user995"
	if moved == "user1" { // who is nowhere else
		moved = "user2"
		here, there = table[shard.Of(moved)], other[table[shard.Of(moved)]]
	}
	dir, port := pidgeontest.ShortTempDir(s.T), pidgeontest.FreePort()
	script := func(text string) *exec.Cmd {
		return exec.Command("timeout", "300", "bash", "-ec", text, "bash", dir, port, moved+"="+there, named+"="+other[table[shard.Of(named)]])
	}
	serving := script(database.serve)
	if err := serving.Start(); err != nil {
		s.Fatal(err)
	}
	down := func() {
		_ = serving.Process.Signal(syscall.SIGINT) // timeout passes it on
		_ = serving.Wait()
	}
	s.Cleanup(down)
	if out, err := script(database.fill).CombinedOutput(); err != nil {
		s.Fatalf("%v\n%s", err, out)
	}
	environ := database.environ(dir, port)
	backends := here + "," + there
	if s.name != "" {
		backends = "dns:" + s.name
	}
	maps.Copy(environ, map[string]string{"BACKENDS": backends, "BACKEND_USERS": named + "=" + table[shard.Of(named)], "LMTP_PORT": s.lmtp})
	at := func(address string, more map[string]string) *pidgeontest.Server {
		mine := maps.Clone(environ)
		maps.Copy(mine, more)
		server := s.server(address, mine)
		server.Shares = []string{dir}
		return server
	}
	for _, address := range []string{here, there} {
		backend := at(address, map[string]string{
			"LISTEN": address, "IMAP_PORT": "143", "POP3_PORT": "110", "SUBMISSION_PORT": "587", "SIEVE_PORT": "4190", "TRUSTED_NETWORKS": "127.0.0.1",
			"PROTOCOLS": "imap,pop3,lmtp,submission,sieve", "RELAY_HOST": "127.0.0.1", "RELAY_PORT": "1", "MASTER_USERS": "boss:pass", "BACKEND_NAME": address,
		})
		s.backends[address] = backend
		s.start(backend)
	}
	s.proxy = at("127.0.0.1", map[string]string{"ROLE": "proxy", "PROTOCOLS": "imap,pop3,lmtp,submission,sieve"})
	s.proxy.Environ["BACKEND_CA_PATH"] = filepath.Join(s.proxy.Work, "certs/ca.crt")
	delete(s.proxy.Environ, "USERS_FILE")
	s.start(s.proxy)

	served := "imap OK\npop3 OK\nsieve OK\ndelivery 250\n"
	later := "imap [UNAVAILABLE]\npop3 -ERR [SYS/TEMP]\nsubmission 454\nsieve NO [TRYLATER]\ndelivery 451\n"
	for _, tt := range []struct {
		asked      *pidgeontest.Server
		user, want string
	}{
		{s.proxy, moved, served},
		{s.backends[there], moved, served},
		{s.backends[here], moved, later},
		{s.proxy, moved + "*boss", served},
		{s.backends[here], moved + "*boss", later},
		{s.proxy, named, served},
		{s.proxy, "user1", served},
	} {
		if got := s.ask(tt.asked, tt.user, "pass"); got != tt.want {
			s.Errorf("%s gets of %s\n%s\nwant\n%s\n%s", tt.user, tt.asked.Environ["LISTEN"], got, tt.want, tt.asked.Log.Tail(20))
		}
	}
	for user, want := range map[string]string{moved: there, named: table[shard.Of(named)], "user1": table[shard.Of("user1")]} {
		if s.deliver(user); fmt.Sprint(s.owner(user)) != fmt.Sprint([]string{want}) {
			s.Errorf("%s has mail at %v, want %s", user, s.owner(user), want)
		}
	}
	if _, err := pidgeontest.LogIn(s.proxy.Environ["IMAPS_PORT"], moved, "wrong", pidgeontest.Patience); err == nil || !strings.Contains(err.Error(), "AUTHENTICATIONFAILED") {
		s.Errorf("with a wrong password %s gets %v", moved, err)
	}

	if environ["SQL_DRIVER"] == "sqlite" || s.name != "" { // a file is there; DNS changes nothing about it
		return
	}
	// Where the database is down nobody knows whose mail is where, but of those whom
	// BACKEND_USERS names.
	down()
	// Dovecot 2.3 waits a minute for an SQL server.
	if _, err := pidgeontest.LogIn(s.proxy.Environ["IMAPS_PORT"], "user1", "pass", 100*time.Second); err == nil || !strings.Contains(err.Error(), "[UNAVAILABLE]") {
		s.Errorf("without the database user1 gets %v\n%s", err, s.proxy.Log.Tail(20))
	}
	if out, err := s.doveadm(s.backends[table[shard.Of("user1")]], "user", "-x", "service=lmtp", "user1").CombinedOutput(); err == nil {
		s.Errorf("without the database mail for user1 is taken: %s", out)
	}
}
