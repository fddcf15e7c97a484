package upgrade

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"pidgeon/dovecot/lint"
	"pidgeon/lazyregexp"
)

// A database may return mail_location and quota_rule, which 2.4 does not know. Filters with
// regular expressions make settings of 2.4 from them. Each matches the whole value, because
// 2.4.1 replaces all of a value for a partial match, and later versions only the part.

// asSize turns "*:storage=1G:messages=5" into 1G; a number without a unit is in K.
const asSize = ` | regexp('^.*:bytes=([0-9]+)(:.*)?$', '\\1')` +
	` | regexp('^.*:storage=([0-9]+)(:.*)?$', '\\1K')` +
	` | regexp('^.*:(storage|bytes)=([^:]*).*$', '\\2')` +
	` | regexp('^.*:.*$', '0')`

// imported converts a field that a database returns. where is its variable in 2.4, such as
// sql:mail; said is the part of the query or file that makes its value, if known.
func (u use) imported(field, where, said string) (lines []string, err error) {
	base := strings.TrimPrefix(field, "userdb_")
	prefix := field[:len(field)-len(base)]
	switch row := rowFor("plugin", base); {
	case row == nil && base != "mail", base == "master_user", field == base && u.node.up.Key == "passdb": // whose other fields are none of a user's
		return nil, nil
	case base == "quota_rule":
		otherwise := "0" // which is none
		if size := u.allowance(); size != "" {
			otherwise = size
			if strings.Trim(size, "0123456789") == "" {
				otherwise += "K"
			}
		}
		filters := asSize
		if strings.Contains(said, "bytes=") && !strings.Contains(said, "storage=") {
			filters = ` | regexp('^.*bytes=([^:]*).*$', '\\1')`
		}
		lines = []string{"quota_storage_size = %{" + where + " | default('" + otherwise + "')" + filters + "}"}
		if strings.Contains(said, "messages=") || !strings.Contains(said, "*:") { // it may say so
			lines = append(lines, "quota_message_count = %{"+where+` | default('0') | regexp('^.*:messages=([0-9]+).*$', '\\1') | regexp('^.*[^0-9].*$', '0')}`)
		}
	case base == "mail":
		everybody := u.Global("mail_location")
		where += otherwise(everybody)
		lines = []string{
			"mail_driver = %{" + where + ` | regexp('^([a-z0-9]+):.*$', '\\1')}`,
			"mail_path = %{" + where + ` | regexp('^[a-z0-9]+:([^:]*).*$', '\\1')}`,
		}
		if !stored.MatchString(said) { // it may say anything
			said = ":INDEX= :CONTROL= :INBOX= :LAYOUT="
		}
		for _, row := range lint.TableRows("locations") {
			if key := ":" + row[0] + "="; strings.Contains(said+everybody, key) {
				otherwise := ""
				for _, driver := range []string{"maildir", "mbox"} {
					if value := standard(row, driver); value != standard(row, "") {
						otherwise += " | regexp('^" + driver + ":.*" + key + "$', '" + value + "')"
					}
				}
				lines = append(lines, row[1]+" = %{"+where+" | concat('"+key+"') | regexp('^.*"+key+"([^:]*)(:.*)?"+key+`$', '\\1')`+otherwise+" | regexp('^.*"+key+"$', '"+standard(row, "")+"')}")
			}
		}
		if apart.MatchString(said + everybody) {
			lines = append(lines, legacy)
		}
	case row[2] == "" && row[3] == "" && row[1] != "-":
		lines = []string{row[1] + " = %{" + where + "}"}
	default:
		return nil, fmt.Errorf("%s takes the place of %s", row[1], base)
	}
	for i, line := range lines {
		lines[i] = prefix + line
	}
	return lines, nil
}

// otherwise are the filters that make the global mail_location for users without their own.
func otherwise(location string) string {
	template := named.ReplaceAllStringFunc(location, func(variable string) string {
		return map[byte]string{'u': `\\1`, 'n': `\\2`, 'd': `\\3`, 'h': "~"}[variable[len(variable)-1]]
	})
	switch {
	case strings.ContainsAny(template, "%'"):
		return ""
	case template == location:
		return " | default('" + location + "')"
	}
	return " | default(user) | regexp('^(([^:/@]*)@?([^:/]*))$', '" + template + "')"
}

// stored matches a mail_location in a query.
var stored = lazyregexp.New(`\b(maildir|mbox|[sm]?dbox|imapc|pop3c):`)

// named matches variables with the user's name, which 2.3 has in lower case.
var named = lazyregexp.New(`%L?[undh]`)

// Query converts an SQL query, with fields for columns that 2.4 does not know.
func (u use) Query() (string, error) {
	text, err := u.words(u.raw)
	if err != nil {
		return "", err
	}
	var fields []string
	for _, column := range columns(u.node.Value) {
		lines, err := u.imported(column, "sql:"+column, u.node.Value)
		if err != nil {
			return "", err
		}
		fields = append(fields, lines...)
	}
	return strings.Join(append([]string{text}, defines("fields", fields)...), "\n"), nil
}

// defines puts lines, if there are any, into a section.
func defines(name string, lines []string) []string {
	if len(lines) == 0 {
		return nil
	}
	return section(name, lines)
}

// section puts lines into a section.
func section(opening string, lines []string) []string {
	return slices.Concat([]string{opening + " {"}, indented(lines, "  ", ""), []string{"}"})
}

var selected = lazyregexp.New(`(?is)^\s*select\s+(?:distinct\s+)?(.*)$`)

// columns are the names of the columns of a query.
func columns(query string) (names []string) {
	m := selected.FindStringSubmatch(query)
	if m == nil {
		return nil
	}
	list, depth, quote, from := m[1], 0, byte(0), 0
	end := func(at int) {
		words := strings.FieldsFunc(list[from:at], func(r rune) bool { return strings.ContainsRune(" \t\n.`\"'()", r) })
		if len(words) > 0 {
			names = append(names, words[len(words)-1])
		}
		from = at + 1
	}
	for i := 0; i < len(list); i++ {
		switch c := list[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"' || c == '`':
			quote = c
		case c == '(':
			depth++
		case c == ')':
			depth--
		case depth == 0 && c == ',':
			end(i)
		case depth == 0 && len(list) > i+5 && strings.EqualFold(list[i:i+4], "from") && strings.ContainsRune(" \t\n(`", rune(list[i+4])) && strings.ContainsRune(" \t\n)`'\"", rune(list[max(i-1, 0)])):
			end(i)
			return names
		}
	}
	end(len(list))
	return names
}

// weak are the schemes that 2.4 refuses without auth_allow_weak_schemes (2.4.1, 2.4.5:
// password-scheme.c).
var weak = lazyregexp.New(`(?i)\b(MD5|MD5-CRYPT|SMD5|LDAP-MD5|PLAIN-MD[45]|DES-CRYPT|CRAM-MD5|HMAC-MD5|DIGEST-MD5)\b`)

// weakly reports whether passwords of a passdb are known to have such a scheme.
func (c *converter) weakly(n *node) bool {
	args, driver := n.value("args"), n.value("driver")
	scheme, err := option(args, "scheme")
	switch driver {
	case "sql", "ldap":
		if f, ok := c.beside(n, args); ok {
			if row := lint.TableRow("implied", driver+"/default_pass_scheme"); row != nil {
				scheme = row[1]
			}
			for _, n := range parse(f, nil).children {
				if n.Key == "default_pass_scheme" {
					scheme = n.Value
				}
			}
		}
	case "passwd-file":
		for word := range strings.FieldsSeq(args) {
			if f, ok := c.beside(n, word); ok && strings.HasPrefix(word, "/") {
				scheme += " " + strings.Join(schemes.FindAllString(string(f.Data), -1), " ")
			}
		}
	case "static":
		if errors.Is(err, errAbsent) {
			scheme = schemes.FindString(args)
		}
	}
	return weak.MatchString(scheme)
}

var schemes = lazyregexp.New(`\{[A-Za-z0-9-]+`)
