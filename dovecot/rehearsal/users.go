package rehearsal

import (
	"context"
	"fmt"
	"os"
	"strings"
)

// listedUser stands for the users of the candidate's passwd-file. A rehearsal gets a file of
// its own, which is asked where theirs is: as the last.
const listedUser = "pidgeon-listed"

// listUsers writes that file.
func (p private) listUsers() error {
	if len(p.Domains) == 0 {
		return nil
	}
	var b strings.Builder
	for _, domain := range p.Domains {
		fmt.Fprintf(&b, "%s%s:%s\n", listedUser, domain, p.listedPassword())
	}
	return os.WriteFile(p.path("users"), []byte(b.String()), 0o644)
}

// listedPassword differs from the password with which every name gets in.
func (p private) listedPassword() string { return p.password + "x" }

func (p private) listedPassdb() string {
	switch {
	case len(p.Domains) == 0:
		return ""
	case p.dialect == "2.3":
		return fmt.Sprintf("passdb {\n  driver = passwd-file\n  args = scheme=PLAIN username_format=%%u %s\n}\n", p.path("users"))
	}
	return fmt.Sprintf("passdb pidgeon-listed {\n  driver = passwd-file\n  default_password_scheme = PLAIN\n  passwd_file_path = %s\n}\n", p.path("users"))
}

// tryListedUsers logs in under names as the candidate's passwd-file has them, because a setting
// about names can keep all of them out.
func (p private) tryListedUsers(ctx context.Context) error {
	for _, domain := range p.Domains {
		if !p.Effective.ProtocolOn("imap") {
			continue
		}
		login := fmt.Sprintf("b LOGIN %s%s %s", listedUser, domain, p.listedPassword())
		err := p.try(ctx, "imap", conversation([]string{"* BYE", "a NO", "a BAD", "b NO", "b BAD"},
			step{good: "* OK"}, step{"a STARTTLS", "a OK", true}, step{say: login, good: "b OK"}))
		if err != nil {
			return fmt.Errorf("who is called as users of USERS are, USER%s, could not log in: %w", domain, err)
		}
	}
	return nil
}
