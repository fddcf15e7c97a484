// Package settings reads the environment into one documented struct, with NAME_FILE for every
// NAME, and reports all faults at once. It knows nothing of Dovecot's syntax, but every value
// that it accepts is harmless there.
package settings

import (
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"

	"pidgeon/sizing"
)

// Settings is what the operator asked for. Each field is one environment
// variable; the order is that of the table in the README. The tags are read by
// Load and Variables: env the name, envDefault the default, doc the explanation,
// example what an error suggests, choice the only values, listener the protocol of a
// port, secret that the value is never shown, fixed that it holds from a start to the
// next, always that it counts with DOVECOT_CONF too, database which of AUTH it belongs to,
// required that this one needs it, server that it is nothing to a proxy.
type Settings struct {
	Protocols               Protocols   `env:"PROTOCOLS" envDefault:"imap,lmtp" doc:"what runs: imap, pop3, lmtp, sieve, submission" example:"imap,lmtp,sieve"`
	IMAPConcurrency         Concurrency `env:"IMAP_CONCURRENCY" always:"true" envDefault:"1000" doc:"IMAP sessions held at once; auto: as many as this container holds" example:"500"`
	IMAPMode                sizing.Mode `env:"IMAP_MODE" always:"true" envDefault:"auto" choice:"auto,secure,performance" doc:"secure: a login process per connection; performance: a few for all; auto: secure up to 100 sessions" example:"performance"`
	POP3Concurrency         Concurrency `env:"POP3_CONCURRENCY" always:"true" envDefault:"100" doc:"POP3 sessions held at once, or auto" example:"100"`
	POP3Mode                sizing.Mode `env:"POP3_MODE" always:"true" envDefault:"auto" choice:"auto,secure,performance" doc:"as IMAP_MODE" example:"performance"`
	SubmissionConcurrency   Concurrency `env:"SUBMISSION_CONCURRENCY" always:"true" envDefault:"100" doc:"submission sessions held at once, or auto" example:"100"`
	SubmissionMode          sizing.Mode `env:"SUBMISSION_MODE" always:"true" envDefault:"auto" choice:"auto,secure,performance" doc:"as IMAP_MODE; always secure on Dovecot 2.4 and on a proxy" example:"performance"`
	SieveConcurrency        Concurrency `env:"SIEVE_CONCURRENCY" always:"true" envDefault:"100" doc:"ManageSieve sessions held at once, or auto" example:"100"`
	SieveMode               sizing.Mode `env:"SIEVE_MODE" always:"true" envDefault:"auto" choice:"auto,secure,performance" doc:"as IMAP_MODE" example:"performance"`
	MaxConnectionsPerUserIP Sessions    `env:"MAX_CONNECTIONS_PER_USER_IP" always:"true" envDefault:"50" doc:"sessions of one user from one address; all clients behind one NAT or webmail share it" example:"50"`

	Auth           Databases `env:"AUTH" server:"true" envDefault:"users" doc:"where users are, asked in this order: users, ldap, sql, oauth2" example:"users"`
	Users          Users     `env:"USERS" doc:"name:password, name:{SCHEME}hash or a whole passwd line, one per line or separated by commas" example:"alice:secret,bob:{SHA512-CRYPT}$6$salt$hash" secret:"true" database:"users"`
	MasterUsers    Users     `env:"MASTER_USERS" server:"true" doc:"as USERS; who may log in as anybody, as user*master" example:"backup:{SHA512-CRYPT}$6$salt$hash" secret:"true"`
	PasswordScheme string    `env:"PASSWORD_SCHEME" server:"true" envDefault:"CRYPT" choice:"CRYPT,PLAIN,ARGON2ID,SHA512-CRYPT,SHA256-CRYPT,BLF-CRYPT,MD5-CRYPT,PBKDF2,SSHA,SSHA256,SSHA512,SHA256,SHA512" doc:"of passwords in LDAP and SQL that name none" example:"SHA512-CRYPT"`

	LDAPURI          URIs          `env:"LDAP_URI" doc:"ldap://HOST or ldaps://HOST, several separated by blanks" example:"ldap://ldap.example.com" database:"ldap" required:"true"`
	LDAPBase         Text          `env:"LDAP_BASE" doc:"the entry below which the users are" example:"ou=people,dc=example,dc=com" database:"ldap" required:"true"`
	LDAPFilter       Pattern       `env:"LDAP_FILTER" envDefault:"(uid=%{user})" doc:"finds a user: %{user} is the whole name, %{username} what stands before the @, %{domain} what stands behind it" example:"(&(objectClass=person)(mail=%{user}))" database:"ldap"`
	LDAPBindDN       Text          `env:"LDAP_BIND_DN" doc:"who searches; default: anonymous" example:"cn=dovecot,dc=example,dc=com" database:"ldap"`
	LDAPBindPassword Text          `env:"LDAP_BIND_PASSWORD" doc:"the password of LDAP_BIND_DN" example:"secret" secret:"true" database:"ldap"`
	LDAPLogin        string        `env:"LDAP_LOGIN" envDefault:"bind" choice:"bind,search" doc:"bind: the LDAP server checks passwords; search: Dovecot reads userPassword and does" example:"search" database:"ldap"`
	LDAPStartTLS     string        `env:"LDAP_STARTTLS" envDefault:"no" choice:"yes,no" doc:"yes: ldap:// goes over to TLS" example:"yes" database:"ldap"`
	LDAPBackend      LDAPAttribute `env:"LDAP_BACKEND_ATTRIBUTE" doc:"for proxies and backends: the attribute with the backend of users whose mail is not where their names say" example:"mailHost" database:"ldap"`

	SQLDriver        string  `env:"SQL_DRIVER" envDefault:"pgsql" choice:"pgsql,mysql,sqlite" doc:"pgsql, mysql (MariaDB as well) or sqlite" example:"mysql" database:"sql"`
	SQLHost          Server  `env:"SQL_HOST" envDefault:"localhost" doc:"host, or the socket: pgsql wants its directory" example:"db" database:"sql"`
	SQLPort          Port    `env:"SQL_PORT" envDefault:"0" doc:"port of SQL_HOST; 0: the driver's own" example:"5432" database:"sql"`
	SQLDatabase      Text    `env:"SQL_DATABASE" doc:"the database; for sqlite its file" example:"mail" database:"sql" required:"true"`
	SQLUser          Text    `env:"SQL_USER" doc:"the user that asks" example:"mail" database:"sql"`
	SQLPassword      Text    `env:"SQL_PASSWORD" doc:"the password of SQL_USER" example:"secret" secret:"true" database:"sql"`
	SQLPasswordQuery Pattern `env:"SQL_PASSWORD_QUERY" doc:"gives the column password; %{user}, %{username} and %{domain} as in LDAP_FILTER" example:"SELECT password FROM users WHERE name = '%{user}'" database:"sql" required:"true"`
	SQLUserQuery     Pattern `env:"SQL_USER_QUERY" doc:"gives home, uid, gid or other fields, and no row for who does not exist; default: who has a password exists" example:"SELECT home FROM users WHERE name = '%{user}'" database:"sql"`
	SQLIterateQuery  Pattern `env:"SQL_ITERATE_QUERY" doc:"lists the column user, for doveadm -A" example:"SELECT name AS user FROM users" database:"sql"`
	SQLBackendQuery  Pattern `env:"SQL_BACKEND_QUERY" doc:"for proxies and backends: gives the column host of users whose mail is not where their names say, and no row for others" example:"SELECT host FROM hosts WHERE name = '%{user}'" database:"sql"`

	OAuth2IntrospectionURL  URL    `env:"OAUTH2_INTROSPECTION_URL" doc:"answers who has a token (RFC 7662); with ID:PASSWORD@ before the host" example:"https://mail:secret@sso.example.com/introspect" secret:"true" database:"oauth2" required:"true"`
	OAuth2IntrospectionMode string `env:"OAUTH2_INTROSPECTION_MODE" envDefault:"post" choice:"post,get,auth" doc:"post the token, put it behind the URL (get), or send it as Bearer (auth)" example:"auth" database:"oauth2"`
	OAuth2UserAttribute     Text   `env:"OAUTH2_USER_ATTRIBUTE" envDefault:"username" doc:"the field of the answer that holds the user's name" example:"email" database:"oauth2"`

	Role            string     `env:"ROLE" envDefault:"server" choice:"server,proxy" doc:"server: the mail is here; proxy: sessions and LMTP are passed on to BACKENDS" example:"server"`
	Backends        Hosts      `env:"BACKENDS" doc:"the hosts that have the mail, each that of a share of the users; mail-{0..3} stands for four, dns:mail for all addresses of a name" example:"mail-{0..3}.mail"`
	BackendName     Host       `env:"BACKEND_NAME" server:"true" doc:"for a server: which of BACKENDS it is; it serves its own users alone, and has others come back later" example:"mail-0.mail"`
	DoveadmPort     Port       `env:"DOVEADM_PORT" server:"true" envDefault:"0" listener:"doveadm" doc:"other backends move mail here (pidgeon move); for them alone; 0: off" example:"4143"`
	DoveadmPassword Text       `env:"DOVEADM_PASSWORD" server:"true" doc:"the password for DOVEADM_PORT, the same at all backends; whoever has it may read and change all mail" example:"secret" secret:"true"`
	BackendUsers    Placements `env:"BACKEND_USERS" doc:"user=host or shard:63=host, one per line or separated by commas: users whose mail is not where their names say; host/held: refused for the moment" example:"alice=mail-0.mail"`
	BackendTLS      string     `env:"BACKEND_TLS" envDefault:"required" choice:"required,no" doc:"required: STARTTLS to the backends, with a certificate of BACKEND_CA_PATH for their names; no: off" example:"required"`
	BackendCAPath   Path       `env:"BACKEND_CA_PATH" envDefault:"/etc/ssl/certs/ca-certificates.crt" doc:"certificates that vouch for those of the backends, PEM" example:"/certs/ca.crt"`

	TLS            string `env:"TLS" envDefault:"required" choice:"required,yes,no" doc:"required: no login without TLS; yes: offered; no: off" example:"required"`
	TLSCertPath    Path   `env:"TLS_CERT_PATH" envDefault:"/certs/tls.crt" doc:"certificate chain, PEM; without one a self-signed certificate is made" example:"/certs/tls.crt"`
	TLSKeyPath     Path   `env:"TLS_KEY_PATH" envDefault:"/certs/tls.key" doc:"private key of TLS_CERT_PATH, PEM" example:"/certs/tls.key"`
	TLSSNIDir      Path   `env:"TLS_SNI_DIR" envDefault:"/certs" doc:"directory with NAME/tls.crt and NAME/tls.key, for clients that ask for NAME" example:"/certs"`
	TLSMinProtocol string `env:"TLS_MIN_PROTOCOL" envDefault:"TLSv1.2" choice:"TLSv1.2,TLSv1.3" doc:"oldest protocol accepted: TLSv1.2 or TLSv1.3" example:"TLSv1.2"`
	CAPath         Path   `env:"TLS_CA_PATH" envDefault:"/etc/ssl/certs/ca-certificates.crt" doc:"who signs the certificates of LDAP, OAuth2 and relay, PEM" example:"/certs/ca.crt"`

	Hostname           Host      `env:"MAIL_HOSTNAME" doc:"name in greetings and in the self-signed certificate; default: the container's" example:"mail.example.com"`
	MailDir            Path      `env:"MAIL_DIR" server:"true" envDefault:"/srv/mail" doc:"mail, one directory per user" example:"/srv/mail"`
	MailHome           Layout    `env:"MAIL_HOME" server:"true" doc:"home of a user, of %{user}, %{username} and %{domain}; default: MAIL_DIR/%{user}" example:"/srv/mail/%{domain}/%{username}"`
	MailPath           Layout    `env:"MAIL_PATH" server:"true" envDefault:"~/mail" doc:"where the mail lies: in the home (~), or elsewhere" example:"~/Maildir"`
	MailFormat         string    `env:"MAIL_FORMAT" server:"true" envDefault:"maildir" choice:"maildir,sdbox,mdbox" doc:"maildir, sdbox or mdbox" example:"maildir"`
	MailUID            ID        `env:"MAIL_UID" doc:"owner of all mail; default: that of MAIL_DIR, or 5000; without root it is the user pidgeon runs as" example:"5000"`
	MailGID            ID        `env:"MAIL_GID" doc:"group of all mail; in the same way" example:"5000"`
	RecipientDelimiter Delimiter `env:"RECIPIENT_DELIMITER" envDefault:"+" doc:"user+detail@example.com goes to user" example:"+"`
	RelayHost          Host      `env:"RELAY_HOST" server:"true" doc:"where submission hands mail to; needed with submission" example:"postfix"`
	RelayPort          Port      `env:"RELAY_PORT" server:"true" envDefault:"25" doc:"port of RELAY_HOST" example:"25"`
	RelayTLS           string    `env:"RELAY_TLS" server:"true" envDefault:"no" choice:"no,starttls,tls" doc:"no, starttls, or tls from the first byte on" example:"starttls"`
	RelayUser          Text      `env:"RELAY_USER" server:"true" doc:"who submission logs in as at RELAY_HOST; default: nobody" example:"dovecot"`
	RelayPassword      Text      `env:"RELAY_PASSWORD" server:"true" doc:"the password of RELAY_USER" example:"secret" secret:"true"`

	LMTPSocket Path `env:"LMTP_SOCKET" doc:"LMTP on this socket too, for a mail transfer agent that shares its directory" example:"/sockets/lmtp"`
	AuthSocket Path `env:"AUTH_SOCKET" doc:"logins for Postfix (smtpd_sasl_type = dovecot) on this socket" example:"/sockets/auth"`

	Quota           Size   `env:"QUOTA" server:"true" doc:"how much mail a user may have; who has 80 and 95 % of it gets a mail that says so" example:"2G"`
	QuotaStatusPort Port   `env:"QUOTA_STATUS_PORT" server:"true" envDefault:"0" listener:"quota-status" doc:"policy service for Postfix, which then refuses mail for a full mailbox itself; 0: off" example:"12340"`
	Compression     string `env:"COMPRESSION" server:"true" envDefault:"no" choice:"no,read,zstd,gz,lz4" doc:"how new mail is written: zstd, gz, lz4, or read: as it is, but compressed mail can be read" example:"zstd"`
	FTS             string `env:"FTS" server:"true" envDefault:"no" choice:"yes,no" doc:"yes: an index for searches in the text of mail" example:"yes"`
	MailCryptKey    Keys   `env:"MAIL_CRYPT_KEY" server:"true" doc:"private key, PEM: mail is encrypted as it is written; those behind it read what older ones have encrypted" example:"$(openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256)" secret:"true"`
	SharedFolders   string `env:"SHARED_FOLDERS" server:"true" envDefault:"no" choice:"yes,no" doc:"yes: users may share folders with others, by IMAP's ACL; then / separates the parts of a folder's name" example:"yes"`
	SpamToJunk      string `env:"SPAM_TO_JUNK" server:"true" envDefault:"no" choice:"yes,no" doc:"yes: what a filter before has marked as spam goes to Junk" example:"yes"`
	SpamLearnDir    Path   `env:"SPAM_LEARN_DIR" server:"true" doc:"directory with the programs spam and ham, which get what users move into Junk, and out of it" example:"/learn"`
	SieveBefore     Path   `env:"SIEVE_BEFORE" server:"true" doc:"directory of *.sieve scripts that run before those of the users, in lexical order" example:"/sieve/before"`
	SieveAfter      Path   `env:"SIEVE_AFTER" server:"true" doc:"the same, for scripts that run after them" example:"/sieve/after"`

	Listen          Addresses `env:"LISTEN" always:"true" envDefault:"*,::" doc:"addresses to listen on; * is all of IPv4, :: all of IPv6" example:"127.0.0.1"`
	IMAPPort        Port      `env:"IMAP_PORT" envDefault:"143" listener:"imap" doc:"IMAP with STARTTLS; 0 turns a listener off" example:"1143"`
	IMAPSPort       Port      `env:"IMAPS_PORT" envDefault:"993" listener:"imap" doc:"IMAP over TLS" example:"1993"`
	POP3Port        Port      `env:"POP3_PORT" envDefault:"110" listener:"pop3" doc:"POP3 with STARTTLS" example:"1110"`
	POP3SPort       Port      `env:"POP3S_PORT" envDefault:"995" listener:"pop3" doc:"POP3 over TLS" example:"1995"`
	LMTPPort        Port      `env:"LMTP_PORT" envDefault:"24" listener:"lmtp" doc:"LMTP; for the mail transfer agent alone, it takes mail from anyone who reaches it" example:"1024"`
	SievePort       Port      `env:"SIEVE_PORT" envDefault:"4190" listener:"sieve" doc:"ManageSieve with STARTTLS" example:"4190"`
	SubmissionPort  Port      `env:"SUBMISSION_PORT" envDefault:"587" listener:"submission" doc:"submission with STARTTLS" example:"1587"`
	SubmissionsPort Port      `env:"SUBMISSIONS_PORT" envDefault:"465" listener:"submission" doc:"submission over TLS" example:"1465"`
	AuthPort        Port      `env:"AUTH_PORT" envDefault:"0" listener:"auth" doc:"logins for Postfix over TCP, unencrypted: for the mail transfer agent alone; 0: off" example:"1244"`
	MetricsPort     Port      `env:"METRICS_PORT" always:"true" fixed:"true" envDefault:"0" listener:"metrics" doc:"Prometheus metrics over HTTP at /metrics, /healthz and /readyz, and a page at /; 0: off" example:"9154"`
	MetricsListen   Addresses `env:"METRICS_LISTEN" always:"true" fixed:"true" doc:"addresses of METRICS_PORT; default: those of LISTEN" example:"127.0.0.1"`

	DovecotConf     Path     `env:"DOVECOT_CONF" always:"true" fixed:"true" doc:"a Dovecot configuration of your own, in the place of what this table says of protocols, users, mail, TLS and listeners" example:"/etc/dovecot/dovecot.conf"`
	ProxyProtocol   string   `env:"PROXY_PROTOCOL" envDefault:"no" choice:"yes,no" doc:"yes: a proxy such as HAProxy comes first on all ports but LMTP's, and tells the client's address" example:"yes"`
	TrustedNetworks Networks `env:"TRUSTED_NETWORKS" doc:"addresses of the proxies before this server, those of PROXY_PROTOCOL or ones with ROLE=proxy: what they say of a client's address is believed" example:"10.0.0.0/8"`

	OverridesDir Path   `env:"OVERRIDES_DIR" always:"true" envDefault:"/overrides" doc:"*.conf, *.conf.tmpl and templates/ of yours; followed while running" example:"/overrides"`
	RunDir       Path   `env:"RUN_DIR" always:"true" fixed:"true" envDefault:"/run/pidgeon" doc:"generations, Dovecot's sockets, control socket; tmpfs" example:"/run/pidgeon"`
	StateDir     Path   `env:"STATE_DIR" always:"true" fixed:"true" envDefault:"/var/lib/pidgeon" doc:"last good generation, self-signed certificate; volume" example:"/var/lib/pidgeon"`
	OnInvalid    string `env:"ON_INVALID" always:"true" fixed:"true" envDefault:"last-good" choice:"last-good,fail" doc:"a start with a broken override: last-good runs what last worked, fail exits 78" example:"fail"`
	CarryOver    string `env:"CARRY_OVER" always:"true" envDefault:"yes" choice:"yes,no" doc:"yes: on Dovecot 2.4, overrides for 2.3 are used too, if they can be converted whole" example:"no"`
	StopGrace    Grace  `env:"STOP_GRACE" always:"true" fixed:"true" envDefault:"8s" doc:"how long sessions may take to end on stop; keep it under the engine's own limit" example:"8s"`
	LogLevel     string `env:"LOG_LEVEL" always:"true" fixed:"true" envDefault:"info" choice:"debug,info,warn,error" doc:"debug, info, warn or error" example:"debug"`
	LogFormat    string `env:"LOG_FORMAT" always:"true" fixed:"true" envDefault:"text" choice:"text,json" doc:"text, or json for all lines, Dovecot's too" example:"json"`

	// Environ is the whole environment, for overrides that are templates.
	Environ map[string]string `env:"-"`
	// BackendsName is the name that BACKENDS has after dns:; Backends are then addresses.
	BackendsName string `env:"-"`
	// Files are the files of NAME_FILE variables, to be watched.
	Files []string `env:"-"`
	// Notes are remarks that are no faults.
	Notes []string `env:"-"`
}

// Proxy reports whether sessions are passed on.
func (s Settings) Proxy() bool { return s.Role == "proxy" && !s.HasOperatorConfig() }

// Backend reports whether this server has only a share of the users.
func (s Settings) Backend() bool { return s.BackendName != "" && !s.Proxy() && !s.HasOperatorConfig() }

// Hosts reports whether a database of that name is asked first whose mail is elsewhere than
// the names say.
func (s Settings) Hosts(database string) bool {
	set := database == "sql" && s.SQLBackendQuery != "" || database == "ldap" && s.LDAPBackend != ""
	return set && (s.Proxy() || s.Backend())
}

// Asks reports whether a database of that name is asked for anything.
func (s Settings) Asks(database string) bool {
	return s.Hosts(database) || s.Auth.Has(database) && !s.Proxy()
}

// BaseDir is Dovecot's base_dir.
func (s Settings) BaseDir() string { return filepath.Join(string(s.RunDir), "dovecot") }

// Home is the home of users, with variables.
func (s Settings) Home() Layout {
	if s.MailHome != "" {
		return s.MailHome
	}
	return Layout(filepath.Join(string(s.MailDir), "%{user}"))
}

// MetricsAddresses are those that METRICS_PORT is served on.
func (s Settings) MetricsAddresses() Addresses {
	if len(s.MetricsListen) > 0 {
		return s.MetricsListen
	}
	return s.Listen
}

// DovecotState is Dovecot's state_dir.
func (s Settings) DovecotState() string { return filepath.Join(string(s.StateDir), "dovecot") }

// SelfSigned is the directory of the self-signed certificate.
func (s Settings) SelfSigned() string { return filepath.Join(string(s.StateDir), "self-signed") }

// Demand is the demand of each protocol of PROTOCOLS.
func (s Settings) Demand() []sizing.Protocol {
	all := slices.DeleteFunc([]sizing.Protocol{
		s.IMAPConcurrency.protocol("imap", s.IMAPMode),
		s.POP3Concurrency.protocol("pop3", s.POP3Mode),
		s.SubmissionConcurrency.protocol("submission", s.SubmissionMode),
		s.SieveConcurrency.protocol("sieve", s.SieveMode),
	}, func(p sizing.Protocol) bool { return !s.Protocols.Has(p.Name) })
	for i := range all {
		all[i].Proxied = s.Proxy()
	}
	return all
}

// HasOperatorConfig reports whether DOVECOT_CONF names a configuration.
func (s Settings) HasOperatorConfig() bool { return s.DovecotConf != "" }

// IsSet reports whether a variable has a value that is not its default's.
func (s Settings) IsSet(name string) bool { return s.Environ[name] != "" }

// Variable documents one environment variable.
type Variable struct {
	Name    string
	Default string
	Doc     string
	Example string
	Secret  bool
	Fixed   bool     // it takes effect at the next start
	Choices []string // all values, if they are few

	field    string
	listener string // the protocol whose listener this port is
	always   bool   // with DOVECOT_CONF too
	database string // the database of AUTH that uses it
	required bool   // by its database
	server   bool   // without effect at a proxy
}

// Shown is a value of the variable, hidden if it is a secret.
func (v Variable) Shown(value string) string {
	if v.Secret && value != "" {
		return "(set)"
	}
	return strings.ReplaceAll(value, "\n", " ")
}

// Setting is a variable with its value, hidden if it is a secret.
type Setting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// NonDefault are the variables that differ from their defaults.
func (s Settings) NonDefault() (changed []Setting) {
	for _, v := range table() {
		if value := s.Environ[v.Name]; value != "" && value != v.Default {
			changed = append(changed, Setting{v.Name, v.Shown(value)})
		}
	}
	return changed
}

// Variables are all variables, in the order of Settings.
func Variables() []Variable { return slices.Clone(table()) }

var table = sync.OnceValue(func() (variables []Variable) {
	for f := range reflect.TypeFor[Settings]().Fields() {
		if f.Tag.Get("env") == "-" {
			continue
		}
		variables = append(variables, Variable{
			Name:     f.Tag.Get("env"),
			Default:  f.Tag.Get("envDefault"),
			Doc:      f.Tag.Get("doc"),
			Example:  f.Tag.Get("example"),
			Secret:   f.Tag.Get("secret") != "",
			Fixed:    f.Tag.Get("fixed") != "",
			Choices:  list(f.Tag.Get("choice")),
			field:    f.Name,
			listener: f.Tag.Get("listener"),
			always:   f.Tag.Get("always") != "",
			database: f.Tag.Get("database"),
			required: f.Tag.Get("required") != "",
			server:   f.Tag.Get("server") != "" || f.Tag.Get("database") != "",
		})
	}
	return variables
})

// Field finds the variable of a field of Settings.
func Field(name string) (Variable, bool) {
	for _, v := range table() {
		if v.field == name {
			return v, true
		}
	}
	return Variable{Name: name}, false
}
