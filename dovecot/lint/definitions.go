package lint

import (
	"slices"
	"strconv"

	"pidgeon/config"
)

// ReadDefinitions finds sections and settings of overrides that are their own, as opposed to
// changes of sections of pidgeon's templates.
func (c *Config) ReadDefinitions(brought *config.OverrideDefinitions) {
	templates := map[*section]bool{}
	for _, s := range c.statements {
		templates[s.in] = templates[s.in] || !s.file.Override
	}
	brought.Ports = ""
	owner := false
	for name, id := range map[string]*int{"first_valid_uid": &brought.FirstUID, "last_valid_uid": &brought.LastUID} {
		if s := c.last(nil, name); s != nil && s.file.Override {
			*id, _ = strconv.Atoi(s.value)
		}
	}
	if s, tls := c.last(nil, "auth_allow_cleartext"), c.last(nil, "ssl"); s != nil && s.file.Override && s.value == "yes" {
		brought.Cleartext = tls != nil && !tls.file.Override && tls.value == "required"
	}
	for s := range c.overrides {
		sets := func(in *section, keys ...string) bool {
			return s.sets() && s.in == in && slices.Contains(keys, s.key)
		}
		if s.kind == opening && s.in == nil && !templates[c.section(nil, s.key, s.name)] {
			brought.Passdb = brought.Passdb || s.key == "passdb"
			brought.Userdb = brought.Userdb || s.key == "userdb"
		}
		owner = owner || sets(nil, "mail_uid", "mail_home")
		brought.Auth = brought.Auth || sets(nil, "default_internal_user") || sets(c.service("auth"), "user", "group")
		brought.Lookups = brought.Lookups || sets(nil, "auth_socket_path", "default_process_limit") || sets(c.service("lmtp"), "user", "process_limit")
		if s.in == nil || templates[s.in] || !s.sets() {
			continue
		}
		switch port, _ := strconv.Atoi(s.value); {
		case s.within("inet_listener") && s.key == "port" && port > 0 && logins(s.in.around):
			brought.Ports += " " + s.in.around.name + ":" + s.value + " "
		case s.within("namespace") && s.key == "inbox" && s.value == "yes":
			brought.Inbox = true
		case s.within("namespace") && s.key == "separator":
			brought.Separator = s.value
		}
	}
	brought.Userdb = brought.Userdb || owner && brought.Passdb // these take the place of a userdb
}

// logins reports whether a section is a service that takes a protocol's connections.
func logins(in *section) bool {
	return in != nil && in.kind == "service" && slices.ContainsFunc(config.Protocols(), func(p config.Protocol) bool { return p.Login == in.name })
}
