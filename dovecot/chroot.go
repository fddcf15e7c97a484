package dovecot

import (
	"fmt"
	"slices"
	"strings"

	"pidgeon/finding"
)

// unconfined are services that do not call restrict_access_by_env (2.3.19, 2.4.1:
// imap/main.c); mail storage changes root per user.
var unconfined = []string{"imap", "pop3", "submission", "managesieve"}

// chrooted finds services that a chroot takes what they need away from, or that
// take no notice of it.
func chrooted(statements []statement) finding.List {
	var found finding.List
	for _, s := range statements {
		if !s.text.Mine || !s.sets() || s.key != "chroot" || !s.within("service") || s.value == "" || s.value == "/" {
			continue
		}
		_, service, _ := strings.Cut(s.scope[len(s.scope)-1], " ")
		switch {
		case service == "auth" || service == "auth-worker":
			// The rehearsal does not see it: its user is in no file.
			found = append(found, s.fault(finding.UnreadableFile,
				fmt.Sprintf("%s sees nothing outside of %s, and so no file with users", service, s.value), "leave the chroot of this service out").Finding)
		case slices.Contains(unconfined, service):
			found = append(found, s.remark(finding.NoEffect, "Dovecot does not look at the chroot of the service "+service, "set mail_chroot for all users, or chroot in the user database"))
		}
	}
	return found
}
