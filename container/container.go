// Package container is where this process finds itself: as whom it runs, where it
// writes, what the kernel and the engine allow, and how a limit is raised. It
// prepares; how much is to be held is for others to say.
package container

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"pidgeon/sizing"
)

// Facts do not change while a container lives.
type Facts struct {
	Identity Identity
	Machine  sizing.Machine
	Allowed  sizing.Allowed
}

// Need is what sessions take of the container, with a Dovecot of that dialect.
func (f Facts) Need(demand []sizing.Protocol, dialect string) sizing.Need {
	return sizing.NeedOf(demand, f.Machine, sizing.Costs(dialect))
}

// Remark tells how many sessions the container holds, or what stands in the way of some:
// as a sentence for a person, and as a line of the log.
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

// Remarks say how many sessions the container holds, or which limit keeps it from holding
// those asked for and how it is raised.
func (f Facts) Remarks(demand []sizing.Protocol, dialect string) (all []Remark) {
	remark := func(sentence string, level slog.Level, message string, facts ...any) {
		all = append(all, Remark{sentence, level, message, facts})
	}
	for _, p := range demand {
		if p.Wall != "" {
			cure := "set " + strings.ToUpper(p.Name) + "_CONCURRENCY, or raise it in the configuration"
			remark(fmt.Sprintf("As it is configured: %d sessions of %s; then comes %s. For more, %s.", p.Sessions, p.Name, p.Wall, cure),
				slog.LevelInfo, "its own limits let in as many sessions", "protocol", p.Name, "sessions", p.Sessions, "limit", p.Wall, "cure", cure)
		}
	}
	need, allowed := f.Need(demand, dialect), f.Allowed
	bottlenecks := need.Bottlenecks(allowed)
	if len(bottlenecks) == 0 {
		remark(fmt.Sprintf("As it is set: this container holds %d sessions.", need.Sessions),
			slog.LevelInfo, "this container holds the sessions asked for", "sessions", need.Sessions)
	}
	for _, b := range bottlenecks {
		cure := Cure(b)
		if slices.ContainsFunc(demand, func(p sizing.Protocol) bool { return p.Name == "imap" && p.Secure() }) {
			cure += "; or IMAP_MODE=performance"
		}
		remark(fmt.Sprintf("As it is set: only %d of %d sessions: %s is %d, and %d are needed. Raise it: %s", b.Sessions, need.Sessions, b.Limit, b.Have, b.Need, cure),
			slog.LevelWarn, "this container holds fewer sessions than asked for",
			"sessions", b.Sessions, "asked", need.Sessions, "limit", b.Limit, "is", b.Have, "needed", b.Need, "cure", cure)
	}
	apart, share := slices.Clone(demand), 0
	for i, p := range demand {
		apart[i].Share, share = 1, max(share, p.Share)
	}
	if share > 1 {
		const effect = "while a session process works for one of its clients, the others wait"
		remark(fmt.Sprintf("To make do with the memory, %d clients share a session process: %s.", share, effect),
			slog.LevelWarn, "session processes are shared, to make do with the memory",
			"clients", share, "limit", "memory.max", "is", allowed.MemoryKiB, "needed", f.Need(apart, dialect).MemoryKiB, "effect", effect)
	}
	if need.ShortOfInotify(allowed) {
		// So does Dovecot without an inotify instance (2.3.19, 2.4.1).
		const effect = "the others hear of new mail up to 30 s later, keep their process while they wait, and Dovecot warns of each"
		cure := fmt.Sprintf("on the host: sysctl -w fs.inotify.max_user_instances=%d", need.Inotify)
		remark(fmt.Sprintf("Only %d of %d inotify instances for clients that wait with IDLE: %s. Raise it %s", allowed.Inotify, need.Inotify, effect, cure),
			slog.LevelWarn, "too few inotify instances for every client to wait with IDLE",
			"is", allowed.Inotify, "needed", need.Inotify, "effect", effect, "cure", cure)
	}
	return all
}

// Cure is what raises a limit: on the command line, in Compose, in Kubernetes.
func Cure(b sizing.Bottleneck) string {
	switch b.Limit {
	case "pids.max":
		return fmt.Sprintf("docker run --pids-limit %[1]d; Compose: pids_limit: %[1]d; Kubernetes: podPidsLimit of the kubelet", b.Need)
	case "memory.max":
		return fmt.Sprintf("docker run --memory %[1]dm; Compose: mem_limit: %[1]dm; Kubernetes: resources.limits.memory: %[1]dMi", b.Need>>10+1)
	}
	return fmt.Sprintf("docker run --ulimit nofile=%[1]d; Compose: ulimits: {nofile: %[1]d}; Kubernetes: LimitNOFILE of the container runtime", b.Need)
}
