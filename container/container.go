// Package container finds out as which user this process runs and what the kernel and the
// engine allow, prepares the directories, and raises limits. Package sizing says how much is
// needed.
package container

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"pidgeon/sizing"
)

// Facts are the properties of a container, which do not change while it runs.
type Facts struct {
	Identity Identity
	Machine  sizing.Machine
	Allowed  sizing.Allowed
}

// Budget is the budget for the sessions of a Dovecot of that dialect.
func (f Facts) Budget(dialect string) sizing.Budget {
	return sizing.Budget{Machine: f.Machine, Allowed: f.Allowed, Cost: sizing.Costs(dialect)}
}

// Remark says how many sessions the container holds, or which limit is too low: as a sentence
// for a person, and as a line of the log.
type Remark struct {
	Sentence string
	level    slog.Level
	message  string
	facts    []any
}

// Announce logs the remarks.
func (f Facts) Announce(log *slog.Logger, demand []sizing.Protocol, dialect string) {
	for _, r := range f.Remarks(demand, dialect) {
		log.Log(context.Background(), r.level, r.message, r.facts...)
	}
}

// Remarks say how many sessions the container holds, or which limit is too low for those
// asked for and how to raise it.
func (f Facts) Remarks(demand []sizing.Protocol, dialect string) (all []Remark) {
	remark := func(sentence string, level slog.Level, message string, facts ...any) {
		all = append(all, Remark{sentence, level, message, facts})
	}
	for _, p := range demand {
		if p.LimitedBy != "" {
			cure := "set " + strings.ToUpper(p.Name) + "_CONCURRENCY, or raise it in the configuration"
			remark(fmt.Sprintf("As it is configured: %d sessions of %s; then comes %s. For more, %s.", max(p.Sessions, p.Asked), p.Name, p.LimitedBy, cure),
				slog.LevelInfo, "its own limits let in as many sessions", "protocol", p.Name, "sessions", max(p.Sessions, p.Asked), "limit", p.LimitedBy, "cure", cure)
		}
	}
	room, allowed := f.Budget(dialect), f.Allowed
	need, bottlenecks := room.Need(demand), room.Bottlenecks(demand)
	auto := slices.ContainsFunc(demand, func(p sizing.Protocol) bool { return p.Auto })
	asked := room.Need(sizing.Requested(demand)).Sessions
	for i, b := range bottlenecks {
		cure := Cure(b)
		if slices.ContainsFunc(demand, func(p sizing.Protocol) bool { return p.Name == "imap" && p.Secure() }) {
			cure += "; or IMAP_MODE=performance"
		}
		if i == 0 {
			b.Sessions = need.Sessions // the limits meet in it
		}
		switch is, needed := Amount(b, b.Have), Amount(b, b.Need); {
		case asked > need.Sessions:
			remark(fmt.Sprintf("As it is set: only %d of %d sessions: %s is %s, and %s are needed. Raise it: %s", b.Sessions, asked, b.Limit, is, needed, cure),
				slog.LevelWarn, "this container holds fewer sessions than asked for",
				"sessions", b.Sessions, "asked", asked, "limit", b.Limit, "is", is, "needed", needed, "cure", cure)
		case auto && i == 0:
			remark(fmt.Sprintf("As it is set: this container holds %d sessions, which is what there is room for: %s is %s. Raise it for half as many more: %s", need.Sessions, b.Limit, is, cure),
				slog.LevelInfo, "this container holds as many sessions as there is room for",
				"sessions", need.Sessions, "limit", b.Limit, "is", is, "cure", cure)
		}
	}
	if len(all) == 0 {
		remark(fmt.Sprintf("As it is set: this container holds %d sessions.", need.Sessions),
			slog.LevelInfo, "this container holds the sessions asked for", "sessions", need.Sessions)
	}
	apart, share := sizing.Requested(demand), 0
	for i, p := range demand {
		apart[i].Share, share = 1, max(share, p.Share)
	}
	if share > 1 {
		const effect = "while a session process works for one of its clients, the others wait"
		memory := sizing.Bottleneck{Limit: allowed.MemoryBy}
		remark(fmt.Sprintf("To make do with the memory, %d clients share a session process: %s.", share, effect),
			slog.LevelWarn, "session processes are shared, to make do with the memory",
			"clients", share, "limit", allowed.MemoryBy, "is", Amount(memory, allowed.MemoryKiB), "needed", Amount(memory, room.Need(apart).MemoryKiB), "effect", effect)
	}
	if need.ShortOfInotify(allowed) {
		// So does Dovecot without an inotify instance (2.3.19, 2.4.1).
		const effect = "the others hear of new mail up to 30 s later, keep their process while they wait, and Dovecot warns of each"
		cure := fmt.Sprintf("on the host: sysctl -w fs.inotify.max_user_instances=%d", need.Inotify)
		remark(fmt.Sprintf("Only %d of %d inotify instances for clients that wait with IDLE: %s. Raise it %s", allowed.Inotify, need.Inotify, effect, cure),
			slog.LevelWarn, "too few inotify instances for every client to wait with IDLE",
			"is", fmt.Sprint(allowed.Inotify), "needed", fmt.Sprint(need.Inotify), "effect", effect, "cure", cure)
	}
	return all
}

// Cure is what raises a limit: on the command line, in Compose, in Kubernetes.
func Cure(b sizing.Bottleneck) string {
	switch b.Limit {
	case "pids.max":
		return fmt.Sprintf("docker run --pids-limit %[1]d; Compose: pids_limit: %[1]d; Kubernetes: podPidsLimit of the kubelet", b.Need)
	case "ulimit -n":
		return fmt.Sprintf("docker run --ulimit nofile=%[1]d; Compose: ulimits: {nofile: %[1]d}; Kubernetes: LimitNOFILE of the container runtime", b.Need)
	case sizing.MachineMemory:
		return fmt.Sprintf("a machine with %d MiB", (b.Need/9*10)>>10+1)
	}
	return fmt.Sprintf("docker run --memory %[1]dm; Compose: mem_limit: %[1]dm; Kubernetes: resources.limits.memory: %[1]dMi", b.Need>>10+1)
}

// Amount is so much of what the limit counts, as it is shown.
func Amount(b sizing.Bottleneck, n int) string {
	if b.Memory() {
		return fmt.Sprintf("%dMiB", (n+1<<10-1)>>10)
	}
	return fmt.Sprint(n)
}
