package settings

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"pidgeon/lazyregexp"
)

// User is one mail user.
type User struct {
	Name     string
	Password string // {SCHEME}hash, fit for a passwd-file
	UID, GID ID     // 0: MAIL_UID and MAIL_GID
	Home     Path   // empty: MAIL_HOME
	Quota    Size   // empty: QUOTA
}

// Users are the mail users of USERS, pointers, because env would look into each of 50,000
// structs for variables, which took 40 ms.
type Users []*User

var (
	anyScheme = lazyregexp.New(`^\{[A-Za-z0-9-]+(\.[A-Za-z0-9]+)?\}$`)
	scheme    = lazyregexp.New(`^\{[A-Z0-9-]+(\.[A-Za-z0-9]+)?\}`)
)

// isUserName is Dovecot's auth_username_chars, without a leading dot, because the name is
// also that of a directory. Without regular expressions here and in isHash, 50,000 users take
// 60 ms less.
func isUserName(name string) bool {
	return name != "" && name[0] != '.' && !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && !strings.ContainsRune("._@-", r)
	})
}

// isHash tells whether a password is {SCHEME}hash.
func isHash(password string) bool {
	end := strings.IndexByte(password, '}') + 1
	return end > 0 && end < len(password) && anyScheme.MatchString(password[:end]) &&
		!strings.ContainsFunc(password[end:], func(r rune) bool { return r < '!' || r > '~' || r == ':' })
}

// UnmarshalText accepts name:password and name:{SCHEME}hash, one per line, or
// separated by commas on a single line. Names are taken in lower case, as Dovecot
// does with what the client sends.
func (u *Users) UnmarshalText(text []byte) error {
	all := entries(string(text))
	*u = slices.Grow(Users(nil), len(all))
	seen := make(map[string]bool, len(all))
	var wrong wrongEntries
	for i, entry := range all {
		user, err := parseUser(entry)
		if err == nil && seen[user.Name] {
			err = fmt.Errorf("names %.64q twice", user.Name)
		}
		if err != nil {
			wrong.add(i, "%v", err)
			continue
		}
		seen[user.Name] = true
		*u = append(*u, &user)
	}
	return wrong.err()
}

// wrongEntries are those of a list, of which the first are told: a file of millions may be
// no list at all.
type wrongEntries struct {
	told []string
	more int
}

const maxTold = 10

func (w *wrongEntries) add(i int, format string, args ...any) {
	if len(w.told) == maxTold {
		w.more++
		return
	}
	w.told = append(w.told, fmt.Sprintf("entry %d ", i+1)+fmt.Sprintf(format, args...))
}

func (w *wrongEntries) err() error {
	switch {
	case len(w.told) == 0:
		return nil
	case w.more > 0:
		w.told = append(w.told, fmt.Sprintf("so are %d more", w.more))
	}
	return errors.New(strings.Join(w.told, "; "))
}

func entries(text string) []string {
	text = strings.Trim(text, "\r\n") // YAML's | and most editors end with one
	separator := ","
	if strings.Contains(text, "\n") {
		separator = "\n"
	}
	var entries []string
	for entry := range strings.SplitSeq(text, separator) {
		entry = strings.TrimSuffix(entry, "\r")
		blank := strings.TrimSpace(entry) == ""
		comment := separator == "\n" && strings.HasPrefix(entry, "#")
		if !blank && !comment {
			entries = append(entries, entry)
		}
	}
	return entries
}

// parseUser never repeats the entry in its errors: it holds a password.
func parseUser(entry string) (User, error) {
	name, password, ok := strings.Cut(entry, ":")
	if !ok {
		return User{}, errors.New("has no colon between name and password (a password with a comma needs one user per line)")
	}
	name = strings.ToLower(strings.TrimSpace(name))
	if !isUserName(name) {
		return User{}, fmt.Errorf("has the name %.64q: letters, digits and ._@- are allowed", name)
	}
	switch {
	case password == "":
		return User{}, fmt.Errorf("gives %.64q no password", name)
	case strings.ContainsAny(password, "\x00\x01\t\n\r"):
		// Dovecot refuses every login with such a password (2.3.19, 2.4.1: auth-request.c,
		// password_has_illegal_chars).
		return User{}, fmt.Errorf("gives %.64q a password with a TAB, a line end or another control byte that no login gets through", name)
	case isHash(password):
		return User{Name: name, Password: password}, nil
	case scheme.MatchString(password) && strings.Contains(password, ":"):
		return parseLine(name, strings.Split(password, ":"))
	case scheme.MatchString(password):
		return User{}, fmt.Errorf("gives %.64q a hash with a character that no hash has", name)
	}
	// base64 carries any byte, the colon included, through a passwd-file.
	return User{Name: name, Password: "{PLAIN.b64}" + base64.StdEncoding.EncodeToString([]byte(password))}, nil
}

// userQuota are the ways to write the quota of a user, those of Dovecot 2.3 and 2.4 among
// them.
var userQuota = lazyregexp.New(`^(?:quota=|userdb_quota_rule=\*:(?:storage|bytes)=|userdb_quota_storage_size=)(.*)$`)

// parseLine reads what a passwd-file has behind the name: hash, UID, GID, comment, home,
// shell and fields.
func parseLine(name string, fields []string) (u User, err error) {
	for len(fields) < 7 {
		fields = append(fields, "")
	}
	u.Name, u.Password = name, fields[0]
	if !isHash(u.Password) {
		return u, fmt.Errorf("gives %.64q a hash with a character that no hash has", name)
	}
	if slices.ContainsFunc(fields[1:6], userQuota.MatchString) {
		return u, fmt.Errorf("gives %.64q its quota too early: put it behind six colons after the hash", name)
	}
	parse := func(what, text string, value interface{ UnmarshalText([]byte) error }) {
		if text != "" && err == nil && value.UnmarshalText([]byte(text)) != nil {
			err = fmt.Errorf("gives %.64q a %s that is none", name, what)
		}
	}
	parse("UID", fields[1], &u.UID)
	parse("GID", fields[2], &u.GID)
	parse("home", fields[4], &u.Home)
	for field := range strings.FieldsSeq(strings.Join(fields[6:], ":")) {
		m := userQuota.FindStringSubmatch(field)
		if m == nil {
			return u, fmt.Errorf("gives %.64q a field other than quota=SIZE", name)
		}
		parse("quota", m[1], &u.Quota)
	}
	return u, err
}
