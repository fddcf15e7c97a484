package main

import (
	"fmt"
	"log/slog"
	"slices"

	"pidgeon/limits"
	"pidgeon/settings"
	"pidgeon/sizing"
	"pidgeon/supervise"
)

// filesInReserve are allowed to each process beyond need, where the hard limit
// lets us: a later override may ask for more, and a running process keeps the
// limit it was started with.
const filesInReserve = 1 << 16

// measure reads what the container allows and raises ulimit -n to what is needed.
func measure(s settings.Settings) (sizing.Machine, sizing.Allowed, error) {
	l := limits.Read()
	machine := sizing.Machine{CPUs: l.CPUs, Files: 1 << 30, Inotify: l.Inotify}
	want := sizing.Size(s.Ask(), machine).Files
	if l.Files == limits.None {
		l.Files = filesInReserve
	}
	soft, err := supervise.RaiseFiles(uint64(max(want, min(l.Files, filesInReserve))))
	machine.Files = int(soft)
	allowed := sizing.Allowed{Processes: l.Processes, MemoryKiB: int(l.Memory >> 10), Files: machine.Files, Inotify: l.Inotify}
	return machine, allowed, err
}

// announce says in one line how many sessions the container holds, or which limit
// keeps it from holding those asked for and how it is raised.
func (b builder) announce(log *slog.Logger, protocols []sizing.Protocol) {
	need, allowed := b.need(protocols), b.allowed
	walls := need.Walls(allowed)
	if len(walls) == 0 {
		log.Info("this container holds the sessions asked for", "sessions", need.Sessions)
	}
	for _, w := range walls {
		log.Warn("this container holds fewer sessions than asked for",
			"sessions", w.Sessions, "asked", need.Sessions, "limit", w.Limit, "is", w.Have, "needed", w.Need, "cure", cure(w)+orElse(protocols))
	}
	if share := shared(protocols); share > 1 {
		log.Warn("session processes are shared, to make do with the memory", "clients", share, "limit", "memory.max", "is", allowed.MemoryKiB,
			"needed", b.need(unshared(protocols)).MemoryKiB, "effect", sharing)
	}
	if need.Deaf(allowed) {
		log.Warn("too few inotify instances for every client to wait with IDLE", "is", allowed.Inotify, "needed", need.Inotify,
			"effect", deafness, "cure", cureDeafness(need))
	}
}

func (b builder) need(protocols []sizing.Protocol) sizing.Need {
	return sizing.NeedOf(protocols, b.machine, sizing.Costs(b.dovecot.Dialect))
}

// shared is how many clients a session process serves at once.
func shared(protocols []sizing.Protocol) (clients int) {
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

// sharing is what it means to share a session process.
const sharing = "while a session process works for one of its clients, the others wait"

// deafness is what Dovecot does without an inotify instance (2.3.19, 2.4.1).
const deafness = "the others hear of new mail up to 30 s later, keep their process while they wait, and Dovecot warns of each"

func cureDeafness(need sizing.Need) string {
	return fmt.Sprintf("on the host: sysctl -w fs.inotify.max_user_instances=%d", need.Inotify)
}

// orElse is the other cure, where there is one.
func orElse(protocols []sizing.Protocol) string {
	if slices.ContainsFunc(protocols, func(p sizing.Protocol) bool { return p.Name == "imap" && p.Secure() }) {
		return "; or IMAP_MODE=performance"
	}
	return ""
}

// cure is what raises a limit: on the command line, in Compose, in Kubernetes.
func cure(w sizing.Wall) string {
	switch w.Limit {
	case "pids.max":
		return fmt.Sprintf("docker run --pids-limit %d; Compose: pids_limit: %d; Kubernetes: podPidsLimit of the kubelet", w.Need, w.Need)
	case "memory.max":
		mib := w.Need>>10 + 1
		return fmt.Sprintf("docker run --memory %dm; Compose: mem_limit: %dm; Kubernetes: resources.limits.memory: %dMi", mib, mib, mib)
	}
	return fmt.Sprintf("docker run --ulimit nofile=%d; Compose: ulimits: {nofile: %d}; Kubernetes: LimitNOFILE of the container runtime", w.Need, w.Need)
}
