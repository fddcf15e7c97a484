package settings

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"pidgeon/config"
	"pidgeon/finding"
	"pidgeon/lazyregexp"
)

// fault is a finding about a variable; problem completes "VARIABLE …".
func fault(variable, problem, hint string) finding.Finding {
	return finding.Finding{Code: finding.Environment, Problem: variable + " " + problem, Hint: hint}
}

func blamed(f finding.Finding) string {
	variable, _, _ := strings.Cut(f.Problem, " ")
	return variable
}

// valueFault is a finding about a value; without a hint it has the variable's example.
func valueFault(v Variable, value, problem, hint string) finding.Finding {
	if hint == "" {
		hint = fmt.Sprintf("write for example %s=%s", v.Name, v.Example)
	}
	if len(value) > 60 {
		value = value[:57] + "…"
	}
	if value != "" && !v.Secret {
		problem = fmt.Sprintf("is %q, which %s", value, problem)
	}
	return fault(v.Name, problem, hint)
}

// sorted puts faults into the order of the table.
func sorted(faults finding.List) finding.List {
	order := map[string]int{}
	for i, v := range table() {
		order[v.Name], order[v.Name+"_FILE"] = i, i
	}
	slices.SortStableFunc(faults, func(a, b finding.Finding) int { return cmp.Compare(order[blamed(a)], order[blamed(b)]) })
	return faults
}

// misspelt finds names that are similar to a variable's, because a misspelt variable has no
// effect.
func misspelt(environ map[string]string) (faults finding.List) {
	var known []string
	for _, v := range table() {
		known = append(known, v.Name, v.Name+"_FILE")
	}
	for _, name := range slices.Sorted(maps.Keys(environ)) {
		if slices.Contains(known, name) || slices.Contains(foreign, name) || serviceLink(environ[name]) {
			continue
		}
		if near := nearest(name, known); near != "" {
			faults = append(faults, fault(name, "is not a variable of pidgeon", "did you mean "+near+"?"))
		}
	}
	return faults
}

// foreign are names that shells and engines set and that look like a variable's.
var foreign = []string{"USER", "MAIL", "MAILDIR", "LOGNAME", "TERM", "TZ", "HOSTNAME"}

// nearest returns the variable that name was probably meant to be, or "". A long name may
// differ by two letters, a short one (TLS, USERS) by one, and none in the first letter, which
// tells SMTP_PORT from LMTP_PORT.
func nearest(name string, known []string) string {
	known = slices.DeleteFunc(slices.Clone(known), func(other string) bool { return name[0]&^0x20 != other[0] })
	name = strings.ToUpper(name)
	near := finding.Nearest(name, known, 1)
	if near == nil {
		near = finding.Nearest(name, slices.DeleteFunc(known, func(other string) bool { return len(other) <= 6 }), 2)
	}
	if near == nil {
		return ""
	}
	return slices.Min(near)
}

// contradictions finds values that do not fit together. It skips variables that have faults
// already.
func (s Settings) contradictions(faults finding.List) (found finding.List) {
	if s.HasOperatorConfig() {
		return s.nestedDirectories()
	}
	_, noAddress := parseAddress(string(s.BackendName))
	server, imap, lmtp := !s.Proxy(), s.Protocols.Has("imap"), s.Protocols.Has("lmtp")
	for _, rule := range []struct {
		broken              bool
		name, problem, hint string
	}{
		{!server && !s.IsSet("BACKENDS"), "BACKENDS", "is not set, and ROLE is proxy", "name the hosts that have the mail: BACKENDS=mail-{0..3}.mail"},
		{s.Backend() && !s.IsSet("BACKENDS"), "BACKEND_NAME", "is set, and BACKENDS is not", "set BACKENDS as the proxies have it"},
		{s.Backend() && s.BackendsName != "" && noAddress != nil, "BACKEND_NAME", "is no address, and BACKENDS has dns: before a name", "have it be the address of this container, or name the backends in BACKENDS"},
		{server && s.DoveadmPort != 0 && s.DoveadmPassword == "", "DOVEADM_PASSWORD", "is not set, and DOVEADM_PORT is", "name a file with a long random password: DOVEADM_PASSWORD_FILE=/run/secrets/doveadm"},
		{server && s.DoveadmPort != 0 && s.TLS == "no", "DOVEADM_PORT", "is set, and TLS is no", "mail and password would go unencrypted: set TLS=required, or leave it out"},
		{server && s.Protocols.Has("submission") && s.RelayHost == "", "RELAY_HOST", "is not set, and submission is on", "name the host that takes the mail, or take submission out of PROTOCOLS"},
		{s.QuotaStatusPort != 0 && s.Quota == "", "QUOTA_STATUS_PORT", "is set, and QUOTA is not", "set QUOTA, or leave it out"},
		{s.SpamToJunk == "yes" && !lmtp, "SPAM_TO_JUNK", "is for mail that comes in, and lmtp is off", "put lmtp into PROTOCOLS, or leave it out"},
		{s.SieveBefore != "" && !lmtp, "SIEVE_BEFORE", "is for mail that comes in, and lmtp is off", "put lmtp into PROTOCOLS, or leave it out"},
		{s.SieveAfter != "" && !lmtp, "SIEVE_AFTER", "is for mail that comes in, and lmtp is off", "put lmtp into PROTOCOLS, or leave it out"},
		{s.SpamLearnDir != "" && !imap, "SPAM_LEARN_DIR", "is for what users move, and imap is off", "put imap into PROTOCOLS, or leave it out"},
		{s.ProxyProtocol == "yes" && len(s.TrustedNetworks) == 0, "TRUSTED_NETWORKS", "is not set, and PROXY_PROTOCOL is yes", "name the addresses of the proxy: whoever has one may claim to be anybody"},
	} {
		if rule.broken {
			found = append(found, fault(rule.name, rule.problem, rule.hint))
		}
	}
	if m := privileged.FindString(string(s.AuthSocket)); m != "" {
		found = append(found, fault("AUTH_SOCKET", fmt.Sprintf("ends with %q, which gives more rights than to log in on Dovecot 2.3", m), "write for example AUTH_SOCKET=/sockets/auth"))
	}
	owner := map[int64]string{}
	for _, v := range table() {
		listens := s.Protocols.Has(v.listener) || v.listener != "" && config.ProtocolNamed(v.listener).Name == ""
		atFault := slices.ContainsFunc(faults, func(f finding.Finding) bool { return blamed(f) == v.Name })
		if !listens || atFault {
			continue
		}
		port := reflect.ValueOf(s).FieldByName(v.field).Int()
		if other := owner[port]; port != 0 && other != "" {
			found = append(found, fault(v.Name, fmt.Sprintf("is %d, and so is %s", port, other), "give each listener its own port, or 0 to turn it off"))
		}
		owner[port] = v.Name
	}
	return slices.Concat(found, s.nestedDirectories(), s.misplacedVariables(), s.incomplete(faults))
}

// privileged are the ends of names that tell Dovecot 2.3 what may be asked on a socket of
// auth (2.3.19: auth_socket_type_get).
var privileged = lazyregexp.New(`[/-](login|master|userdb|token|tokenlogin)$`)

// incomplete finds variables that a database of AUTH requires and that are not set.
func (s Settings) incomplete(faults finding.List) (found finding.List) {
	for _, v := range table() {
		atFault := slices.ContainsFunc(faults, func(f finding.Finding) bool { return strings.TrimSuffix(blamed(f), "_FILE") == v.Name })
		switch {
		case !v.required || atFault || s.IsSet(v.Name):
		case s.Auth.Has(v.database) && !s.Proxy():
			found = append(found, fault(v.Name, "is not set, and AUTH names "+v.database, fmt.Sprintf("write for example %s=%s, or take %s out of AUTH", v.Name, v.Example, v.database)))
		case s.Hosts(v.database) && v.Name != "SQL_PASSWORD_QUERY":
			found = append(found, fault(v.Name, "is not set, and "+hostVariables[v.database]+" is", fmt.Sprintf("write for example %s=%s", v.Name, v.Example)))
		}
	}
	for _, pair := range []struct {
		name, other string
		used        bool
	}{
		{"LDAP_BIND_DN", "LDAP_BIND_PASSWORD", s.Asks("ldap")},
		{"RELAY_USER", "RELAY_PASSWORD", s.Protocols.Has("submission")},
	} {
		if pair.used && s.IsSet(pair.name) != s.IsSet(pair.other) {
			found = append(found, fault(pair.name, "and "+pair.other+" go together, and one of them is not set", "set both, or neither"))
		}
	}
	// Dovecot 2.3 takes a blank for the end of it.
	if s.Asks("sql") && s.SQLDriver == "mysql" && strings.ContainsAny(string(s.SQLPassword+s.SQLUser+s.SQLDatabase), " \t") {
		found = append(found, fault("SQL_PASSWORD", "holds a blank, or SQL_USER or SQL_DATABASE does", "with SQL_DRIVER=mysql none of them may"))
	}
	return found
}

// hostVariables have a database asked whose mail is elsewhere.
var hostVariables = map[string]string{"ldap": "LDAP_BACKEND_ATTRIBUTE", "sql": "SQL_BACKEND_QUERY"}

// noteUnused notes variables that have no effect with this ROLE or AUTH.
func (s *Settings) noteUnused() {
	switch {
	case s.HasOperatorConfig():
	case s.IsSet("BACKENDS") && !s.Proxy() && !s.Backend():
		s.Notes = append(s.Notes, "BACKENDS has no effect: ROLE is server, and BACKEND_NAME does not say which of them")
	case s.Backend() && s.BackendsName == "" && !slices.Contains(s.Backends, string(s.BackendName)):
		s.Notes = append(s.Notes, "BACKEND_NAME is none of BACKENDS: the users of BACKEND_USERS alone are served here")
	}
	for _, v := range table() {
		switch {
		case !s.IsSet(v.Name) || s.HasOperatorConfig():
		case s.Proxy() && v.server && !s.Hosts(v.database):
			s.Notes = append(s.Notes, v.Name+" has no effect: ROLE is proxy, and that is the backends' business")
		case hostVariables[v.database] == v.Name && s.Auth.Has(v.database) && !s.Hosts(v.database):
			s.Notes = append(s.Notes, v.Name+" has no effect: ROLE is server, and BACKEND_NAME is not set")
		case v.database != "" && !s.Asks(v.database) && !s.Proxy():
			s.Notes = append(s.Notes, fmt.Sprintf("%s has no effect: AUTH does not name %s", v.Name, v.database))
		}
	}
}

// misplacedVariables finds homes outside of the mail directory, and such as users would share.
func (s Settings) misplacedVariables() (found finding.List) {
	if s.MailHome == "" {
		return nil
	}
	fixed, _, _ := strings.Cut(string(s.MailHome), "%")
	switch {
	case strings.HasPrefix(fixed, "~"):
		return finding.List{fault("MAIL_HOME", "begins with ~, which stands for itself", "write for example MAIL_HOME=/srv/mail/%{domain}/%{username}")}
	case !strings.HasPrefix(fixed, strings.TrimSuffix(string(s.MailDir), "/")+"/"):
		found = append(found, fault("MAIL_HOME", "lies outside of MAIL_DIR", "set MAIL_DIR to the directory that holds all mail"))
	}
	owner := map[string]string{}
	for _, u := range s.Users {
		_, domain, _ := strings.Cut(u.Name, "@")
		home := s.MailHome.Of(u.Name)
		switch other, taken := owner[home]; {
		case strings.Contains(string(s.MailHome), "%{domain}") && strings.Trim(domain, ".") == "":
			found = append(found, fault("MAIL_HOME", fmt.Sprintf("has %%{domain}, and the user %q has none", u.Name), "write the user with a domain, as in alice@example.com"))
		case taken:
			found = append(found, fault("MAIL_HOME", fmt.Sprintf("is the same for %q and %q", other, u.Name), "write %{user}, or %{domain} and %{username}"))
		}
		owner[home] = u.Name
	}
	return found
}

// nestedDirectories finds directories inside one another, because RUN_DIR is cleared at each
// start, and the others are volumes.
func (s Settings) nestedDirectories() (found finding.List) {
	dirs := []struct {
		name string
		path Path
	}{{"RUN_DIR", s.RunDir}, {"STATE_DIR", s.StateDir}, {"MAIL_DIR", s.MailDir}}
	for i, a := range dirs {
		for j, b := range dirs {
			inside := a.path != "" && b.path != "" && strings.HasPrefix(string(a.path)+"/", string(b.path)+"/")
			if inside && (i > j || i < j && a.path != b.path) {
				found = append(found, fault(a.name, "lies in "+b.name, "give each a directory of its own, or mail may be lost"))
			}
		}
	}
	return found
}
