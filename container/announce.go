package container

import (
	"fmt"
	"log/slog"
	"slices"

	"pidgeon/sizing"
)

// Announce says in one line how many sessions the container holds, or which limit
// keeps it from holding those asked for and how it is raised.
func (f Facts) Announce(log *slog.Logger, demand []sizing.Protocol, dialect string) {
	need, allowed := f.Need(demand, dialect), f.Allowed
	bottlenecks := need.Bottlenecks(allowed)
	if len(bottlenecks) == 0 {
		log.Info("this container holds the sessions asked for", "sessions", need.Sessions)
	}
	for _, w := range bottlenecks {
		log.Warn("this container holds fewer sessions than asked for",
			"sessions", w.Sessions, "asked", need.Sessions, "limit", w.Limit, "is", w.Have, "needed", w.Need, "cure", Cure(w)+Alternative(demand))
	}
	if share := Shared(demand); share > 1 {
		log.Warn("session processes are shared, to make do with the memory", "clients", share, "limit", "memory.max", "is", allowed.MemoryKiB,
			"needed", f.Need(unshared(demand), dialect).MemoryKiB, "effect", Sharing)
	}
	if need.ShortOfInotify(allowed) {
		log.Warn("too few inotify instances for every client to wait with IDLE", "is", allowed.Inotify, "needed", need.Inotify,
			"effect", WithoutInotify, "cure", CureInotify(need))
	}
}

// Shared is how many clients a session process serves at once.
func Shared(protocols []sizing.Protocol) (clients int) {
	for _, p := range protocols {
		clients = max(clients, p.Share)
	}
	return clients
}

func unshared(protocols []sizing.Protocol) []sizing.Protocol {
	apart := slices.Clone(protocols)
	for i := range apart {
		apart[i].Share = 1
	}
	return apart
}

// Sharing is what it means to share a session process.
const Sharing = "while a session process works for one of its clients, the others wait"

// WithoutInotify is what Dovecot does without an inotify instance (2.3.19, 2.4.1).
const WithoutInotify = "the others hear of new mail up to 30 s later, keep their process while they wait, and Dovecot warns of each"

// CureInotify raises the number of inotify instances.
func CureInotify(need sizing.Need) string {
	return fmt.Sprintf("on the host: sysctl -w fs.inotify.max_user_instances=%d", need.Inotify)
}

// Alternative is the other cure, where there is one.
func Alternative(demand []sizing.Protocol) string {
	if slices.ContainsFunc(demand, func(p sizing.Protocol) bool { return p.Name == "imap" && p.Secure() }) {
		return "; or IMAP_MODE=performance"
	}
	return ""
}

// Cure is what raises a limit: on the command line, in Compose, in Kubernetes.
func Cure(w sizing.Bottleneck) string {
	switch w.Limit {
	case "pids.max":
		return fmt.Sprintf("docker run --pids-limit %d; Compose: pids_limit: %d; Kubernetes: podPidsLimit of the kubelet", w.Need, w.Need)
	case "memory.max":
		mib := w.Need>>10 + 1
		return fmt.Sprintf("docker run --memory %dm; Compose: mem_limit: %dm; Kubernetes: resources.limits.memory: %dMi", mib, mib, mib)
	}
	return fmt.Sprintf("docker run --ulimit nofile=%d; Compose: ulimits: {nofile: %d}; Kubernetes: LimitNOFILE of the container runtime", w.Need, w.Need)
}
