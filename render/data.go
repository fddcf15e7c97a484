package render

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"pidgeon/config"
	"pidgeon/settings"
	"pidgeon/shard"
	"pidgeon/sizing"
)

// Data is the dot of a template. The tag names the variables that a field comes from.
type Data struct {
	Settings settings.Settings
	Sizes    sizing.Sizes
	Env      map[string]any // the whole environment, strings all; a missing name is an error

	Dir      string `from:"RUN_DIR"`   // the generation this is rendered for
	BaseDir  string `from:"RUN_DIR"`   // Dovecot's base_dir
	StateDir string `from:"STATE_DIR"` // Dovecot's state_dir

	// User and Group are names of the ordinary user Dovecot runs as; empty as root.
	User  string `from:""`
	Group string `from:""`
	// MailUID and MailGID own all mail.
	MailUID int `from:"MAIL_UID"`
	MailGID int `from:"MAIL_GID"`

	OperatorConfig string   `from:"DOVECOT_CONF"`  // the main file of a configuration of the operator's own
	Includes       []string `from:"OVERRIDES_DIR"` // set for the main file: what it has to include, in order

	Overrides config.OverrideDefinitions `from:"OVERRIDES_DIR"`

	// Certificate and Key are PEM; templates refer to them as tls.crt and tls.key
	// in Dir. A generation holds its own copy, so that a renewal is a new
	// generation and never a certificate beside the key of another.
	Certificate []byte `from:"TLS_CERT_PATH"`
	Key         []byte `from:"TLS_KEY_PATH"`
	// SNIPairs are for clients that ask for another name, as sni/NAME.crt and sni/NAME.key.
	SNIPairs []SNIPair `from:"TLS_SNI_DIR"`
}

// SNIPair are a certificate and its key, PEM, for clients that ask for a name.
type SNIPair struct {
	Name              string
	CertPath, KeyPath string // where they come from
	Certificate, Key  []byte
}

// FreePort is a port of a service, or 0 if an override gives it to another listener of that.
func (d Data) FreePort(service string, port settings.Port) settings.Port {
	if strings.Contains(d.Overrides.Ports, fmt.Sprintf(" %s:%d ", service, port)) {
		return 0
	}
	return port
}

// FirstUID is the lowest owner of mail that Dovecot may accept; its own default,
// 500, would refuse a container started as a low user.
func (d Data) FirstUID() int {
	first := min(500, d.MailUID)
	for _, u := range d.Settings.Users {
		if u.UID != 0 {
			first = min(first, int(u.UID))
		}
	}
	return first
}

// OneMailOwner reports whether all mail belongs to MailUID. If overrides define users with
// owners of their own, templates name none, because lmtp of 2.4.1 would not run.
func (d Data) OneMailOwner() bool {
	b := d.Overrides
	return !b.Userdb || d.MailUID >= b.FirstUID && (b.LastUID == 0 || d.MailUID <= b.LastUID)
}

// Variables names the environment variables of a field, by its path as Attribute returns it.
// It skips other names, which are keys of a dict.
func (in Input) Variables(path string) (names []string) {
	name, below, _ := strings.Cut(path, ".")
	switch name {
	case "Env", "Environ":
		return strings.Fields(below)
	case "Sizes":
		service, _, _ := strings.Cut(strings.TrimPrefix(below, "Service."), ".")
		for _, p := range in.Data.Sizes.Protocols(service) {
			names = append(names, strings.ToUpper(p)+"_CONCURRENCY", strings.ToUpper(p)+"_MODE")
		}
		return append(names, "PROTOCOLS")
	case "Hosts":
		return []string{"LDAP_BACKEND_ATTRIBUTE", "SQL_BACKEND_QUERY"}
	}
	name = cmp.Or(fieldOf[name], name)
	if f, _ := reflect.TypeFor[Data]().FieldByName(name); f.Tag != "" {
		return strings.Fields(f.Tag.Get("from"))
	}
	if v, ok := settings.Field(name); ok {
		return []string{v.Name}
	}
	if below != "" {
		return in.Variables(below)
	}
	for _, v := range settings.Variables() {
		names = append(names, v.Name)
	}
	return names
}

// fieldOf has, for methods in templates, the field that decides.
var fieldOf = map[string]string{
	"FirstUID": "MailUID", "OneMailOwner": "MailUID", "FreePort": "Overrides", "Proxy": "Role", "Asks": "Auth",
	"PassedOn": "SQLBackendQuery", "Hosted": "SQLBackendQuery", "Backend": "BackendName",
}

func secrets(data Data) config.Files {
	s := data.Settings
	files := config.Files{{Name: config.DirFile, Origin: "pidgeon", Mode: 0o640, Data: []byte(data.Dir + "\n")}}
	if s.HasOperatorConfig() {
		return files
	}
	mode := config.AuthFileMode
	if data.Overrides.Auth {
		mode = 0o640
	}
	files = append(files, config.File{Name: "users", Origin: "USERS", Mode: mode, Data: passwd(s.Users, data.User == "")})
	switch {
	case s.Proxy():
		files = append(files, data.backends()...)
	case s.Backend():
		files = append(files, foreign(s)...)
	}
	for _, secret := range []config.File{
		{Name: "masters", Origin: "MASTER_USERS", Mode: config.AuthFileMode, Data: passwd(s.MasterUsers, false)},
		{Name: "ldap.secret", Origin: "LDAP_BIND_PASSWORD", Mode: config.AuthFileMode, Data: []byte(s.LDAPBindPassword)},
		{Name: "sql.secret", Origin: "SQL_PASSWORD", Mode: config.AuthFileMode, Data: []byte(s.SQLPassword)},
		{Name: "doveadm.secret", Origin: "DOVEADM_PASSWORD", Mode: config.AuthFileMode, Data: []byte(s.DoveadmPassword)},
		{Name: "relay.secret", Origin: "RELAY_PASSWORD", Mode: 0o640, Data: []byte(s.RelayPassword)}, // submission reads it
		{Name: "oauth2.secret", Origin: "OAUTH2_INTROSPECTION_URL", Mode: config.AuthFileMode, Data: []byte(s.OAuth2IntrospectionURL)},
	} {
		if len(secret.Data) > 0 {
			files = append(files, secret)
		}
	}
	for i, key := range s.MailCryptKey {
		if i == 0 {
			files = append(files, config.File{Name: "mail-crypt.pub", Origin: "MAIL_CRYPT_KEY, public", Mode: 0o640, Data: []byte(key.Public)})
		}
		files = append(files, config.File{Name: fmt.Sprintf("mail-crypt%d.key", i), Origin: fmt.Sprintf("MAIL_CRYPT_KEY, %d", i+1), Mode: 0o600, Data: []byte(key.Private)})
	}
	if len(data.Certificate) > 0 {
		files = append(files,
			config.File{Name: "tls.crt", Origin: string(data.Settings.TLSCertPath), Mode: 0o640, Data: data.Certificate},
			config.File{Name: "tls.key", Origin: string(data.Settings.TLSKeyPath), Mode: 0o600, Data: data.Key})
	}
	for _, named := range data.SNIPairs {
		files = append(files,
			config.File{Name: "sni/" + named.Name + ".crt", Origin: named.CertPath, Mode: 0o640, Data: named.Certificate},
			config.File{Name: "sni/" + named.Name + ".key", Origin: named.KeyPath, Mode: 0o600, Data: named.Key})
	}
	return files
}

// ShardsFile is the name of the table of shards.
const ShardsFile = "shards"

// backends are the tables in which a proxy looks users up: passwd-files of users with a
// placement, and of all shards.
func (d Data) backends() config.Files {
	fields := ""
	if d.Settings.BackendTLS == "required" {
		fields = "starttls=yes"
	}
	var users, shards bytes.Buffer
	for _, p := range d.Settings.BackendUsers.Users() {
		users.WriteString(shard.PasswdRow(p.Name, p.Host, d.Settings.NameOf(p.Host), fields))
	}
	for n, host := range d.Settings.Shards() {
		shards.WriteString(shard.PasswdRow(shard.Name(n), host, d.Settings.NameOf(host), fields))
	}
	return config.Files{
		{Name: "backend-users", Origin: "BACKEND_USERS", Mode: config.AuthFileMode, Data: users.Bytes()},
		{Name: ShardsFile, Origin: "BACKENDS", Mode: config.AuthFileMode, Data: shards.Bytes()},
	}
}

// PassedOn asks SQL for the fields of a row of these tables.
func (d Data) PassedOn() settings.Pattern {
	host := "b.host AS host"
	if name := d.Settings.BackendsName; name != "" {
		host = "'" + name + "' AS host, b.host AS hostip"
	}
	if d.Settings.BackendTLS == "required" {
		host += ", 'yes' AS starttls"
	}
	return d.Settings.SQLBackendQuery.In("SELECT NULL AS password, "+host+", 'y' AS proxy, 'y' AS nopassword, 'y' AS nodelay FROM (", ") b WHERE b.host <> ''")
}

// Hosted asks SQL whether mail that is elsewhere than the names say is here, 1, or not, 2.
// A password that nobody is asked for has Dovecot go on to the next passdb.
func (d Data) Hosted(fields string) settings.Pattern {
	return d.Settings.SQLBackendQuery.In("SELECT "+fields+"CASE b.host WHEN '"+string(d.Settings.BackendName)+"' THEN '1' ELSE '2' END AS hosted FROM (", ") b WHERE b.host <> ''")
}

// foreign are passwd-files, by protocol, of users that a backend refuses for the moment
// because another one has them, and of users with a placement: for logins, for logins as
// another user, and for lookups without a login. doveadm's syncs pass, because clients cannot
// use that protocol. A login as another user must fail in the lookup, by a variable that does
// not exist in either dialect: any other refusal is code=authz_fail, which no client tries
// again.
func foreign(s settings.Settings) config.Files {
	var logins, masters, lookups, named bytes.Buffer
	write := func(to *bytes.Buffer, key, fields string) {
		for _, protocol := range s.Protocols {
			fmt.Fprintf(to, "%s/%s:::::::%s\n", protocol, key, fields)
		}
	}
	refuse := func(key string) {
		write(&logins, key, "nopassword=y nodelay=y code=temp_fail")
		write(&masters, key, "refused=%{"+NotServed+"}")
		write(&lookups, key, "userdb_named=1 userdb_tempfail=y userdb_reason="+NotServed)
	}
	for _, p := range s.BackendUsers.Users() {
		if !s.ServesPlacement(p) {
			refuse(p.Name)
			continue
		}
		write(&logins, p.Name, "noauthenticate=y named=1")
		write(&masters, p.Name, "noauthenticate=y named=1")
		write(&named, p.Name, "userdb_named=1")
	}
	for n, host := range s.Shards() {
		p, _ := s.BackendUsers.Find(settings.ShardKey(n))
		if !s.ServesPlacement(settings.Placement{Host: host, Held: p.Held}) {
			refuse("shard/" + shard.Name(n))
		}
		if s.Hosts("ldap") || s.Hosts("sql") { // and is there
			refuse("shard2/" + shard.Name(n))
		}
	}
	return config.Files{
		{Name: "foreign", Origin: "BACKENDS, foreign", Mode: config.AuthFileMode, Data: lookups.Bytes()},
		{Name: "foreign-logins", Origin: "BACKENDS, foreign-logins", Mode: config.AuthFileMode, Data: logins.Bytes()},
		{Name: "foreign-masters", Origin: "BACKENDS, foreign-masters", Mode: config.AuthFileMode, Data: masters.Bytes()},
		{Name: "named", Origin: "BACKENDS, named", Mode: config.AuthFileMode, Data: named.Bytes()},
	}
}

// NotServed is what Dovecot logs of a user whose mail is at another backend.
const NotServed = "not_served_by_this_backend"

// passwd is a passwd-file; without root all users have the user that Dovecot runs as.
func passwd(users settings.Users, root bool) []byte {
	var b bytes.Buffer
	for _, u := range users {
		uid, gid, fields := "", "", ""
		if u.UID != 0 && root {
			uid = strconv.Itoa(int(u.UID))
		}
		if u.GID != 0 && root {
			gid = strconv.Itoa(int(u.GID))
		}
		if u.Quota != "" { // each dialect reads its own field
			fields = fmt.Sprintf("userdb_quota_rule=*:storage=%s userdb_quota_storage_size=%s", u.Quota, u.Quota)
		}
		fmt.Fprintf(&b, "%s:%s:%s:%s::%s::%s\n", u.Name, u.Password, uid, gid, u.Home, fields)
	}
	return b.Bytes()
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
