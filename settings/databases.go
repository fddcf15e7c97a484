package settings

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"pidgeon/lazyregexp"
)

// Databases are the user databases, in the order of lookups.
type Databases []string

var databases = []string{"users", "ldap", "sql", "oauth2"}

// Has reports whether a database is among them.
func (d Databases) Has(name string) bool { return slices.Contains(d, name) }

// UnmarshalText accepts names separated by commas or blanks.
func (d *Databases) UnmarshalText(text []byte) (err error) {
	*d, err = namesAmong(databases, string(text), "database")
	return err
}

// Text is any text that a setting of Dovecot can hold.
type Text string

// UnmarshalText refuses control characters, and %{, which begins a variable in Dovecot
// 2.4 however it is quoted.
func (t *Text) UnmarshalText(text []byte) error {
	switch {
	case strings.ContainsFunc(string(text), isControl):
		return errors.New("holds a line end or another control character")
	case strings.Contains(string(text), "%{"):
		return errors.New("holds %{, which begins a variable of Dovecot's")
	}
	*t = Text(text)
	return nil
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// Server is a host, or the path of a socket.
type Server string

// UnmarshalText accepts what a Host or a Path does.
func (s *Server) UnmarshalText(text []byte) error {
	var host Host
	var path Path
	if host.UnmarshalText(text) != nil && path.UnmarshalText(text) != nil {
		return errors.New("is neither a host name nor the absolute path of a socket")
	}
	*s = Server(text)
	return nil
}

// URL is one of HTTP.
type URL string

var urlText = lazyregexp.New(`^https?://[!-~]+$`)

// UnmarshalText refuses other schemes; it never repeats the URL, which may hold a secret.
func (u *URL) UnmarshalText(text []byte) error {
	parsed, err := url.Parse(string(text))
	if err != nil || parsed.Host == "" || !urlText.Match(text) || strings.Contains(string(text), "%{") {
		return errors.New("is not an http:// or https:// URL")
	}
	*u = URL(text)
	return nil
}

// URIs are those of LDAP servers, separated by blanks.
type URIs string

var ldapURI = lazyregexp.New(`^(ldaps?|ldapi)://[A-Za-z0-9.:%_\[\]-]+/?$`)

// UnmarshalText accepts ldap://, ldaps:// and ldapi://.
func (u *URIs) UnmarshalText(text []byte) error {
	all := list(string(text))
	for _, uri := range all {
		if !ldapURI.MatchString(uri) {
			return errors.New("is not made of ldap://HOST or ldaps://HOST, with a port or without")
		}
	}
	if len(all) == 0 || strings.ContainsFunc(strings.Trim(string(text), "\r\n"), isControl) {
		return errors.New("names no server")
	}
	*u = URIs(strings.Join(all, " "))
	return nil
}

// Pattern is a text with variables: %{user}, %{username}, %{domain}, and %% for a
// percent sign. Dovecot quotes what it puts in their place for LDAP or SQL.
type Pattern string

// variable matches a percent sign with what follows.
var variable = lazyregexp.New(`%(?:\{[^}]*\}?|.|$)`)

// known are the ways to write a variable, those of both versions of Dovecot among them.
var known = map[string]string{
	"%%": "%%", "%u": "%{user}", "%n": "%{username}", "%d": "%{domain}",
	"%{user}": "%{user}", "%{username}": "%{username}", "%{domain}": "%{domain}",
	"%{user|username}": "%{username}", "%{user|domain}": "%{domain}",
}

var lineEnds = strings.NewReplacer("\r\n", " ", "\n", " ", "\t", " ")

// UnmarshalText takes line ends for blanks: a query may be written on several lines.
func (p *Pattern) UnmarshalText(text []byte) error {
	line := lineEnds.Replace(strings.TrimSpace(string(text)))
	if strings.ContainsFunc(line, isControl) {
		return errors.New("holds a control character")
	}
	wrong := ""
	*p = Pattern(variable.ReplaceAllStringFunc(line, func(name string) string {
		ours := known[strings.ReplaceAll(name, " ", "")]
		if ours == "" && wrong == "" {
			wrong = name
		}
		return ours
	}))
	if wrong != "" {
		return fmt.Errorf("holds %s: there are %%{user}, %%{username}, %%{domain}, and %%%% for a percent sign", wrong)
	}
	return nil
}

// With replaces the variables and the percent sign.
func (p Pattern) With(user, username, domain, percent string) string {
	return strings.NewReplacer("%{user}", user, "%{username}", username, "%{domain}", domain, "%%", percent).Replace(string(p))
}

// LDAPAttribute is the name of one.
type LDAPAttribute string

var attributeText = lazyregexp.New(`^[A-Za-z][A-Za-z0-9-]*$`)

// UnmarshalText accepts letters, digits and -.
func (a *LDAPAttribute) UnmarshalText(text []byte) error {
	if !attributeText.Match(text) {
		return errors.New("is not the name of an attribute: letters, digits and -")
	}
	*a = LDAPAttribute(text)
	return nil
}

// In is a query around the text.
func (p Pattern) In(before, after string) Pattern {
	return Pattern(before + strings.TrimRight(string(p), "; ") + after)
}

// And is an LDAP filter that wants another one besides.
func (p Pattern) And(filter string) Pattern {
	if !strings.HasPrefix(string(p), "(") {
		p = "(" + p + ")"
	}
	return "(&" + p + Pattern(filter) + ")"
}

var attribute = lazyregexp.New(`\(([A-Za-z][A-Za-z0-9;-]*)=%\{user(?:name)?\}\)`)

// Attribute is the attribute that an LDAP filter compares with the name.
func (p Pattern) Attribute() string {
	if m := attribute.FindStringSubmatch(string(p)); m != nil {
		return m[1]
	}
	return "uid"
}
