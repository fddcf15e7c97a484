package main

import (
	"regexp"
	"slices"

	"pidgeon/config"
	"pidgeon/sizing"
)

// asked is what each protocol has to hold, and how this Dovecot in this container
// can do it with these overrides.
func (b builder) asked(in sources) []sizing.Protocol { return b.arranged(in, in.settings.Ask()) }

func (b builder) arranged(in sources, ask []sizing.Protocol) []sizing.Protocol {
	reuse := in.oneOwner()
	for i, p := range ask {
		ask[i].Reuse = reuse
		if p.Name == "submission" && b.crashesWhenFull() {
			ask[i].Mode = sizing.Secure
		}
	}
	return sizing.Share(ask, b.machine, sizing.Costs(b.dovecot.Dialect), b.allowed.MemoryKiB)
}

// crashesWhenFull tells of a submission-login that ends with signal 11 when it is
// full, and all its sessions with it: seen on 2.4.1, not on 2.3.19; later versions of
// 2.4 have the same code. In secure mode it has but one session.
func (b builder) crashesWhenFull() bool { return b.dovecot.Dialect == "2.4" }

// elsewhere are words by which an override may say that not all mail belongs to
// one system user, or includes a file that does.
var elsewhere = regexp.MustCompile(`userdb|passdb|mail_uid|mail_gid|!include`)

// oneOwner tells whether all users share a system user. Only then may a session
// process serve several of them: it cannot go back to another user (2.3.19, 2.4.1).
func (in sources) oneOwner() bool {
	return !slices.ContainsFunc(slices.Concat(in.tree.Conf, in.tree.Templates), func(f config.File) bool {
		return elsewhere.Match(f.Data)
	})
}
