package command

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/joho/godotenv"

	"pidgeon/settings"
)

// TestEnvFrom reads environments as people have them, and what comes of each is one that
// can be loaded.
func TestEnvFrom(t *testing.T) {
	for name, tt := range map[string]struct {
		image, theirs string
		want, not     []string // lines
	}{
		"mailu": {
			"mailu",
			"HOSTNAMES=mail.example.org, imap.example.org\nSECRET_KEY=abc\nTLS_FLAVOR=letsencrypt\nPORTS=25,993\nDEFAULT_QUOTA=1000000000\nCOMPRESSION=bz2\nRECIPIENT_DELIMITER=+-\nPROXY_PROTOCOL=25,993\nREAL_IP_FROM=10.0.0.0/8\nWEBSITE=\n",
			[]string{"PROTOCOLS=imap,lmtp", "MAIL_HOSTNAME=mail.example.org", "QUOTA=954M", "COMPRESSION=zstd", "RECIPIENT_DELIMITER=+-", "TLS_CERT_PATH=/certs/letsencrypt/live/mailu/fullchain.pem", "TRUSTED_NETWORKS=10.0.0.0/8", "FTS=yes", "# Not for Dovecot, or without a counterpart: SECRET_KEY"},
			nil,
		},
		"mailu, as it comes":          {"mailu", "", []string{"PROTOCOLS=imap,lmtp,pop3,sieve", "MAIL_PATH=~", "TLS_KEY_PATH=/certs/key.pem"}, nil},
		"mailu without TLS and quota": {"mailu", "TLS_FLAVOR=notls\nDEFAULT_QUOTA=0\nFULL_TEXT_SEARCH=off\n", []string{"TLS=no"}, []string{"QUOTA=0M", "FTS=yes"}},
		"docker-mailserver": {
			"docker-mailserver",
			"OVERRIDE_HOSTNAME=mail.example.org\nENABLE_POP3=1\nENABLE_MANAGESIEVE=1\nSSL_TYPE=letsencrypt\nPOSTFIX_MAILBOX_SIZE_LIMIT=2147483648\nDOVECOT_INET_PROTOCOLS=ipv4\nLOG_LEVEL=trace\nDOVECOT_MAILBOX_FORMAT=sdbox\nDMS_VMAIL_UID=5001\nENABLE_CLAMAV=0\n",
			[]string{"PROTOCOLS=imap,lmtp,pop3,sieve", "MAIL_HOME=/var/mail/%{domain}/%{username}/home", "MAIL_FORMAT=sdbox", "MAIL_UID=5001", "QUOTA=2048M", "LISTEN=*", "LOG_LEVEL=debug", "SPAM_TO_JUNK=yes", "TLS_CERT_PATH=/etc/letsencrypt/live/mail.example.org/fullchain.pem", "AUTH=users"},
			nil,
		},
		"docker-mailserver with LDAP and OAuth2": {
			"docker-mailserver",
			"ACCOUNT_PROVISIONER=LDAP\nLDAP_SERVER_HOST=\"ldap1 ldaps://ldap2\"\nLDAP_SEARCH_BASE=ou=people,dc=example,dc=org\nLDAP_BIND_DN=cn=admin\nLDAP_BIND_PW='top secret'\nDOVECOT_PASS_FILTER='(&(objectClass=x)(mail=%{user | username}))'\nDOVECOT_TLS=yes\nENABLE_OAUTH2=1\nOAUTH2_INTROSPECTION_URL=https://id:secret@sso.example.org/introspect\nENABLE_IMAP=0\n",
			[]string{"PROTOCOLS=lmtp", "AUTH=ldap,oauth2", "LDAP_URI=ldap://ldap1 ldaps://ldap2", "LDAP_FILTER=(&(objectClass=x)(mail=%{username}))", "LDAP_STARTTLS=yes", "LDAP_LOGIN=search", "LDAP_BIND_PASSWORD_FILE=/run/secrets/ldap", "OAUTH2_INTROSPECTION_MODE=auth"},
			[]string{"QUOTA=2048M"},
		},
		"mailcow": {
			"mailcow",
			"MAILCOW_HOSTNAME=mail.example.org\nMAILDIR_SUB=Maildir\nDBNAME=mailcow\nDBUSER=cow\nDBPASS=secret\nDOVECOT_MASTER_USER=boss\nDOVECOT_MASTER_PASS=secret\nIMAP_PORT=127.0.0.1:143\n",
			[]string{"MAIL_HOSTNAME=mail.example.org", "MAIL_PATH=~/Maildir", "SQL_USER=cow", "SQL_PASSWORD_FILE=/run/secrets/db", "MASTER_USERS_FILE=/run/secrets/master", "PASSWORD_SCHEME=BLF-CRYPT", "# Not for Dovecot, or without a counterpart: IMAP_PORT"},
			nil,
		},
		"dovecot": {"dovecot", "USER_PASSWORD={PLAIN}secret\n", []string{"MAIL_DIR=/srv/vmail", "USERS_FILE=/run/secrets/users"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var out, complaint bytes.Buffer
			call := Call{Name: "env", Args: []string{"--from", tt.image}, Stdin: strings.NewReader(tt.theirs), Stdout: &out, Stderr: &complaint}
			if code := Env(call); code != 0 {
				t.Fatalf("exit code %d: %s", code, &complaint)
			}
			lines := strings.Split(out.String(), "\n")
			has := func(line string) bool {
				for _, l := range lines {
					if l == line {
						return true
					}
				}
				return false
			}
			for _, line := range tt.want {
				if !has(line) {
					t.Errorf("no line %q", line)
				}
			}
			for _, line := range tt.not {
				if has(line) {
					t.Errorf("there is a line %q", line)
				}
			}
			if strings.Contains(out.String(), "secret\n") || strings.Contains(out.String(), "secret@") {
				t.Error("a secret is printed")
			}
			if t.Failed() {
				t.Log(out.String())
			}
			loads(t, out.String())
		})
	}
}

// loads fails if an environment has a fault, with what a container would find at the paths
// that it names.
func loads(t *testing.T, text string) {
	t.Helper()
	ours, err := godotenv.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	secrets := map[string]string{
		"OAUTH2_INTROSPECTION_URL_FILE": "https://sso.example.org/introspect",
		"MAIL_CRYPT_KEY_FILE":           string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	}
	var environ []string
	for name, value := range ours {
		if strings.HasSuffix(name, "_FILE") {
			content, ok := secrets[name]
			if !ok {
				content = "alice@example.org:secret"
			}
			value = filepath.Join(t.TempDir(), "secret")
			if err := os.WriteFile(value, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		environ = append(environ, name+"="+value)
	}
	if _, err := settings.Load(environ); err != nil {
		t.Errorf("it cannot be used: %v\n%s", err, text)
	}
}

// TestEnvFromRefuses names what it cannot read, and never what was in it.
func TestEnvFromRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		image, theirs, want string
		code                int
	}{
		"image":  {"postfixadmin", "", "one of docker-mailserver, dovecot, mailcow, mailu", ExitUsage},
		"size":   {"mailu", "DEFAULT_QUOTA=hush", "DEFAULT_QUOTA is not a number of bytes", ExitConfig},
		"syntax": {"mailu", "hush\n", "not of lines NAME=VALUE", ExitConfig},
	} {
		t.Run(name, func(t *testing.T) {
			var complaint bytes.Buffer
			call := Call{Name: "env", Args: []string{"--from", tt.image}, Stdin: strings.NewReader(tt.theirs), Stdout: &bytes.Buffer{}, Stderr: &complaint}
			if code := Env(call); code != tt.code || !strings.Contains(complaint.String(), tt.want) || strings.Contains(complaint.String(), "hush") {
				t.Errorf("exit code %d: %s", code, &complaint)
			}
		})
	}
}
