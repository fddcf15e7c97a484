package upgrade

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"pidgeon/dovecot/lint"
	"pidgeon/lazyregexp"
)

// Location converts a mail_location.
func (u use) Location() (string, error) {
	lines, err := u.locations(u.node.Value)
	return strings.Join(trimmed(lines), "\n"), err
}

// trimmed drops space at the end of lines.
func trimmed(lines []string) []string {
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " ")
	}
	return lines
}

func (u use) locations(value string) (lines []string, err error) {
	parts := colons(value)
	if len(parts) > 1 && slices.Contains(lint.TableList("storage"), parts[0]) {
		lines, parts = append(lines, "mail_driver = "+parts[0]), parts[1:]
	}
	if parts[0] != "" {
		path, err := u.words(parts[0])
		if err != nil {
			return nil, err
		}
		lines = append(lines, "mail_path = "+path)
	}
	for _, part := range parts[1:] {
		key, value, _ := strings.Cut(part, "=")
		if value, err = u.words(value); err != nil {
			return nil, err
		}
		switch row := lint.TableRow("locations", key); {
		case row != nil && strings.Contains(row[1], " = "): // a key without a value
			lines = append(lines, row[1])
		case row != nil:
			lines = append(lines, row[1]+" = "+value)
		case key == "FULLDIRNAME":
			lines = append(lines, "mailbox_directory_name = "+value, "mailbox_directory_name_legacy = no")
		case key != "":
			return nil, fmt.Errorf("the key %s of mail_location has no counterpart in Dovecot 2.4", key)
		}
	}
	if apart.MatchString(value) && strings.HasSuffix(driverOf(value), "dbox") && !strings.Contains(value, ":FULLDIRNAME=") {
		lines = append(lines, legacy)
	}
	if everybody := u.Global("mail_location"); u.node.up != nil { // which it stands in the place of, and 2.4 adds to
		driver := driverOf(value, everybody)
		for _, row := range lint.TableRows("locations") {
			key := ":" + row[0] + "="
			if strings.Contains(everybody, key) && !strings.Contains(value, key) {
				lines = append(lines, row[1]+" = "+standard(row, driver))
			}
		}
	}
	return lines, nil
}

// apart is a mail_location with files in other places than the mail.
var apart = lazyregexp.New(`:(INDEX|CONTROL)=`)

// legacy is where 2.3 has the indexes of dbox, which 2.4.5 looks for elsewhere.
const legacy = "mailbox_directory_name_legacy = yes"

// driverOf is the driver of the first mail_location that has one.
func driverOf(locations ...string) string {
	for _, location := range locations {
		if driver, _, _ := strings.Cut(location, ":"); slices.Contains(lint.TableList("storage"), driver) {
			return driver
		}
	}
	return ""
}

// standard is the default of a key of mail_location with a driver.
func standard(row []string, driver string) (value string) {
	for word := range strings.FieldsSeq(row[2]) {
		switch of, own, named := strings.Cut(word, "="); {
		case !named:
			value = word
		case of == driver:
			return own
		}
	}
	return value
}

// colons parts a value at its colons, but for those in variables, and for doubled ones,
// which stand for one.
func colons(value string) []string {
	parts, depth := []string{""}, 0
	for i := 0; i < len(value); i++ {
		last := &parts[len(parts)-1]
		switch c := value[i]; {
		case c == ':' && depth == 0 && strings.HasPrefix(value[i:], "::"):
			*last += ":"
			i++
		case c == ':' && depth == 0:
			parts = append(parts, "")
			continue
		default:
			*last += string(c)
			if c == '{' {
				depth++
			} else if c == '}' {
				depth--
			}
		}
	}
	return parts
}

// Dict converts a dict such as proxy::quota to a section.
func (u use) Dict(value string) (string, error) {
	value, err := u.words(value)
	if err != nil {
		return "", err
	}
	driver, rest, _ := strings.Cut(value, ":")
	var settings []string
	switch driver {
	case "proxy":
		socket, name, _ := strings.Cut(rest, ":")
		settings = append(settings, "name = "+name)
		if socket != "" {
			settings = append(settings, "socket_path = "+socket)
		}
	case "file":
		settings = append(settings, "path = "+rest)
	case "redis":
		for option := range strings.SplitSeq(rest, ":") {
			name, value, _ := strings.Cut(option, "=")
			now := option24("redis", name)
			if now != "" {
				settings = append(settings, now+" = "+value)
			}
		}
	default:
		return "", fmt.Errorf("a dict with the driver %s is written dict NAME { … } by hand", driver)
	}
	return "dict " + driver + " {\n  " + strings.Join(settings, "\n  ") + "\n}", nil
}

// dicts converts the section dict { }.
func (c *converter) dicts(n *node) ([]string, error) {
	lines := []string{n.indent() + "dict_server {" + n.remark()}
	for _, child := range n.children {
		lines = append(lines, child.before...)
		u := use{converter: c, node: child, raw: child.Raw}
		driver, file, named := strings.Cut(child.Value, ":")
		if u.driver = driver; !named { // it is no dict in 2.3 either
			continue
		}
		written, err := u.sqlDict(file)
		if err != nil {
			lines = append(lines, c.leave(child, err.Error())...)
			continue
		}
		lines = append(lines, indented(written, child.indent(), "")...)
	}
	return append(lines, n.ends()...), nil
}

func (u use) sqlDict(name string) ([]string, error) {
	if !slices.Contains([]string{"mysql", "pgsql", "sqlite"}, u.driver) {
		return nil, fmt.Errorf("a dict with the driver %s is written dict %s { … } by hand", u.driver, u.node.Key)
	}
	f, ok := u.external(u.node, name)
	if !ok {
		return nil, fmt.Errorf("%s, whose settings belong here, cannot be read: put it beside the configuration", name)
	}
	lines := []string{"dict " + u.node.Key + " {", "  driver = sql", "  sql_driver = " + u.driver}
	for _, n := range parse(f, u.node).children {
		u := use{converter: u.converter, node: n, raw: n.Raw, driver: u.driver}
		switch {
		case n.Setting && n.Key == "connect":
			text, err := u.Connect()
			if err != nil {
				return nil, err
			}
			lines = append(lines, indented(strings.Split(text, "\n"), "  ", "")...)
		case n.Opens && n.Key == "map":
			lines = append(lines, indented(n.dictMap(), "  ", "")...)
		default:
			lines = append(lines, u.leave(n, "it is none of a dict in Dovecot 2.4")...)
		}
	}
	return append(lines, "}"), nil
}

// dictMap converts a map { } of a dict.
func (n *node) dictMap() []string {
	lines := []string{"dict_map " + quoted(n.value("pattern")) + " {", "  sql_table = " + n.value("table")}
	if user := n.value("username_field"); user != "" {
		lines = append(lines, "  username_field = "+user)
	}
	fields, types := strings.Split(n.value("value_field"), ","), strings.Split(n.value("value_type"), ",")
	for i, field := range fields {
		lines = append(lines, "  value_field "+strings.TrimSpace(field)+" {")
		if i < len(types) && types[i] != "" {
			lines = append(lines, "    type = "+strings.TrimSpace(types[i]))
		}
		lines = append(lines, "  }")
	}
	for _, child := range n.children {
		if child.Opens && child.Key == "fields" {
			for _, field := range child.children {
				lines = append(lines, "  key_field "+field.Key+" {", "    value = "+field.Value, "  }")
			}
		}
	}
	return append(lines, "}")
}

// Fields converts default_fields, override_fields and the like.
func (u use) Fields(suffix string) (string, error) {
	var all []string
	for word := range strings.FieldsSeq(u.node.Value) {
		name, value, _ := strings.Cut(word, "=")
		lines, err := u.field(name, value, suffix)
		if err != nil {
			return "", err
		}
		all = append(all, lines...)
	}
	return strings.Join(all, "\n"), nil
}

// field converts a field of a passdb or a userdb.
func (u use) field(name, value, suffix string) ([]string, error) {
	base := strings.TrimPrefix(name, "userdb_")
	lines := []string{base + " = " + value}
	var err error
	switch {
	case base == "mail":
		lines, err = u.locations(value)
	case base == "quota_rule":
		lines, err = rules(strings.ReplaceAll(value, "%%", "%"), u.filter)
	default:
		if value, err = u.words(value); err == nil {
			lines[0] = base + " = " + value
		}
	}
	for i, line := range lines {
		key, value, _ := strings.Cut(line, " = ")
		lines[i] = name[:len(name)-len(base)] + key + suffix + " = " + value
	}
	return trimmed(lines), err
}

// Arguments converts the args of a passdb or a userdb, and the file that they name.
func (u use) Arguments() (string, error) {
	section := u.node.up
	driver := section.value("driver")
	var settings []*node
	switch driver {
	case "sql", "ldap", "oauth2":
		f, ok := u.external(u.node, u.node.Value)
		if !ok {
			return "", fmt.Errorf("%s, whose settings belong here, cannot be read: put it beside the configuration", u.node.Value)
		}
		settings = parse(f, section).children
		for _, row := range lint.TableRows("implied") {
			key, ok := strings.CutPrefix(row[0], driver+"/")
			if ok && !slices.ContainsFunc(settings, func(n *node) bool { return n.Key == key }) {
				n := &node{file: f, up: section}
				n.Setting, n.Key, n.Value, n.Raw = true, key, row[1], row[1]
				settings = append(settings, n)
			}
		}
		for _, n := range settings {
			switch {
			case n.Key == "driver":
				u.driver = n.Value
			case n.Key == "auth_bind":
				u.binds = n.Value == "yes"
			}
		}
	default:
		for word := range strings.FieldsSeq(u.node.Value) {
			name, value, named := strings.Cut(word, "=")
			if !named || strings.HasPrefix(word, "/") {
				name, value = "", word
			}
			n := *u.node
			n.Key, n.Value, n.Raw, n.FromFile = name, value, value, false
			settings = append(settings, &n)
		}
	}
	var all, fields, script []string
	for _, n := range settings {
		u := use{converter: u.converter, node: n, raw: n.Raw, driver: u.driver, binds: u.binds}
		lines, known, err := u.argument(section.Key, driver)
		switch {
		case known && driver == "passwd-file" && n.Key == "":
			lines = append(lines, u.passwdFile(n.Value)...)
		case known:
		case driver == "lua":
			value, werr := u.words(n.Value)
			script, err = append(script, n.Key+" = "+value), werr
		case driver == "sql" || driver == "ldap" || driver == "oauth2":
			err = errors.New("ask the documentation what it is in Dovecot 2.4")
		default:
			var more []string
			more, err = u.field(n.Key, n.Value, "")
			fields = append(fields, more...)
		}
		if err != nil && n.file.Name == u.node.file.Name && driver != "sql" && driver != "ldap" && driver != "oauth2" {
			return "", err
		}
		if err != nil {
			lines = u.leave(n, err.Error())
		}
		all = append(all, lines...)
	}
	all = append(all, defines("lua_settings", script)...)
	return strings.Join(append(all, defines("fields", fields)...), "\n"), nil
}

// argument converts one of them by the table.
func (u use) argument(section, driver string) (lines []string, known bool, err error) {
	row := lint.TableRow("arguments", driver+"/"+u.node.Key)
	if row == nil {
		return nil, false, nil
	}
	spec := row[1]
	for _, kind := range []string{"passdb", "userdb"} {
		only, ok := strings.CutPrefix(spec, kind+": ")
		if ok && kind != section {
			return nil, true, nil
		}
		spec = only
	}
	if spec == "-" || u.node.Value == "" {
		return nil, true, nil
	}
	lines, err = u.expand(spec)
	return lines, true, err
}

var parameter = lazyregexp.New(`(\w+)\s*=\s*('[^']*'|"[^"]*"|\S+)`)

// Connect converts the connect string of a database.
func (u use) Connect() (string, error) {
	if u.driver == "sqlite" {
		return "sqlite_path = " + u.node.Value, nil
	}
	var hosts, rest []string
	for _, m := range parameter.FindAllStringSubmatch(u.node.Value, -1) {
		name, value := m[1], strings.Trim(m[2], `'"`)
		if quote := strings.ContainsAny(value, "#\"'") || strings.TrimSpace(value) != value; quote {
			value = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `"`
		}
		switch {
		case name == "host":
			hosts = append(hosts, value)
			continue
		case name == "maxconns":
			continue
		case u.driver == "mysql" && strings.HasPrefix(name, "ssl_"):
			now := option24("mysql", name)
			if now == "" {
				return "", fmt.Errorf("%s has no counterpart in Dovecot 2.4", name)
			}
			name = now
		case u.driver == "mysql" && !slices.Contains(lint.TableList("mysql"), name):
			return "", fmt.Errorf("MySQL takes no parameter %s from Dovecot", name)
		}
		rest = append(rest, name+" = "+value)
	}
	if u.driver == "pgsql" {
		rest = section("parameters", rest)
	}
	var all []string
	for _, host := range append(hosts, "localhost")[:max(1, len(hosts))] {
		all = append(all, section(u.driver+" "+quoted(host), rest)...)
	}
	return strings.Join(all, "\n"), nil
}

func (u use) URIs() string {
	hosts := strings.Fields(u.node.Value)
	for i, host := range hosts {
		hosts[i] = "ldap://" + host
	}
	return strings.Join(hosts, " ")
}

var ruled = lazyregexp.New(`^\*:(storage|bytes)=%\$([kKMGT]?)$`)

// Attributes converts user_attrs and pass_attrs: attribute=field, attribute=field=template
// and =field=template.
func (u use) Attributes() (string, error) {
	var all []string
	for part := range strings.SplitSeq(u.node.Value, ",") {
		attribute, field, _ := strings.Cut(strings.TrimSpace(part), "=")
		field, template, templated := strings.Cut(field, "=")
		if field == "" {
			field = attribute
		}
		if field == "" || field == "password" && u.binds {
			continue
		}
		if strings.ContainsAny(attribute+field, "@!~#") {
			return "", fmt.Errorf("%s is written fields { NAME = … } by hand", part)
		}
		if !templated {
			renamed, err := u.imported(field, "ldap:"+attribute, "")
			if err != nil {
				return "", err
			}
			if all = append(all, renamed...); renamed != nil {
				continue
			}
			template = "%$"
		}
		otherwise := ""
		if m := ruled.FindStringSubmatch(template); m != nil && strings.HasSuffix(field, "quota_rule") { // of who has none
			unit := units[m[2]]
			if m[1] == "bytes" && m[2] == "" {
				unit = 0
			}
			otherwise = fmt.Sprintf(" | default('%d')", u.allowed()>>unit)
		}
		template = strings.ReplaceAll(template, "%$", "%{ldap:"+attribute+otherwise+"}")
		lines, err := u.field(field, template, "")
		if err != nil {
			return "", err
		}
		all = append(all, lines...)
	}
	return strings.Join(all, "\n"), nil
}
