package lint

import (
	"testing"

	"pidgeon/config"
)

// What overrides bring is theirs only where it is no section of the templates.
func TestReadDefinitions(t *testing.T) {
	const template = "ssl = required\npassdb users {\n  driver = x\n}\nuserdb {\n  driver = x\n}\nnamespace inbox {\n  inbox = yes\n}\nservice imap-login {\n  inet_listener imap {\n    port = 143\n  }\n}\n"
	for override, want := range map[string]config.OverrideDefinitions{
		"login_greeting = x\n":                              {},
		"passdb users {\n  driver = y\n}\n":                 {},
		"passdb {\n  driver = y\n}\n":                       {Passdb: true},
		"passdb sql {\n  driver = y\n}\n":                   {Passdb: true},
		"passdb {\n  driver = y\n}\nmail_uid = 7\n":         {Passdb: true, Userdb: true},
		"mail_uid = 7\n":                                    {},
		"first_valid_uid = 7\nlast_valid_uid = 9\n":         {FirstUID: 7, LastUID: 9},
		"userdb {\n  driver = y\n}\n":                       {Userdb: true},
		"userdb passwd {\n}\npassdb pam {\n}\n":             {Passdb: true, Userdb: true},
		"passdb users {\n}\n":                               {},
		"local 10.0.0.1 {\n  passdb {\n    a = b\n  }\n}\n": {},
		"namespace inbox {\n  inbox = yes\n}\n":             {},
		"namespace {\n  inbox = yes\n}\n":                   {Inbox: true},
		"namespace other {\n  inbox = no\n}\n":              {},
		"namespace other {\n  separator = /\n}\n":           {Separator: "/"},
		"namespace inbox {\n  separator = /\n}\n":           {},
		"auth_allow_cleartext = yes\n":                      {Cleartext: true},
		"auth_allow_cleartext = yes\nssl = yes\n":           {},
		"service imap-login {\n  inet_listener imap {\n    port = 993\n  }\n  inet_listener a {\n    port = 1\n  }\n  inet_listener b {\n    port = 2\n  }\n}\n": {Ports: " imap-login:1  imap-login:2 "},
		"service auth {\n  inet_listener a {\n    port = 1\n  }\n}\n":                                                                                            {},
		"auth_socket_path = x\n":                       {Lookups: true},
		"protocol lmtp {\n  auth_socket_path = x\n}\n": {},
		"default_process_limit = 200\n":                {Lookups: true},
		"service lmtp {\n  user = vmail\n}\n":          {Lookups: true},
		"service lmtp {\n  process_limit = 7\n}\n":     {Lookups: true},
		"service lmtp {\n  client_limit = 7\n}\n":      {},
	} {
		c := Parse(config.Files{
			{Name: config.Main, Data: []byte("!include a.conf\n!include b.conf\n")},
			{Name: "a.conf", Data: []byte(template)},
			{Name: "b.conf", Override: true, Data: []byte(override)},
		}, "/g")
		var got config.OverrideDefinitions
		if c.ReadDefinitions(&got); got != want {
			t.Errorf("%q: got %+v, want %+v", override, got, want)
		}
	}
}
