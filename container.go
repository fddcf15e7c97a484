package main

import (
	"fmt"
	"log/slog"
	"strings"
	"text/tabwriter"

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
func announce(log *slog.Logger, need sizing.Need, allowed sizing.Allowed) {
	walls := need.Walls(allowed)
	if len(walls) == 0 {
		log.Info("this container holds the sessions asked for", "sessions", need.Sessions)
	}
	for _, w := range walls {
		log.Warn("this container holds fewer sessions than asked for",
			"sessions", w.Sessions, "asked", need.Sessions, "limit", w.Limit, "is", w.Have, "needed", w.Need, "cure", cure(w))
	}
	if need.Deaf(allowed) {
		log.Warn("too few inotify instances for every client to wait with IDLE", "is", allowed.Inotify, "needed", need.Inotify,
			"effect", deafness, "cure", cureDeafness(need))
	}
}

// deafness is what Dovecot does without an inotify instance (2.3.19, 2.4.1).
const deafness = "the others hear of new mail up to 30 s later, keep their process while they wait, and Dovecot warns of each"

func cureDeafness(need sizing.Need) string {
	return fmt.Sprintf("on the host: sysctl -w fs.inotify.max_user_instances=%d", need.Inotify)
}

// cure is what raises a limit: on the command line, in Compose, in Kubernetes.
func cure(w sizing.Wall) string {
	switch w.Limit {
	case "pids.max":
		return fmt.Sprintf("docker run --pids-limit %d; Compose: pids_limit: %d; Kubernetes: podPidsLimit of the kubelet; or IMAP_MODE=performance", w.Need, w.Need)
	case "memory.max":
		mib := w.Need>>10 + 1
		return fmt.Sprintf("docker run --memory %dm; Compose: mem_limit: %dm; Kubernetes: resources.limits.memory: %dMi; or IMAP_MODE=performance", mib, mib, mib)
	}
	return fmt.Sprintf("docker run --ulimit nofile=%d; Compose: ulimits: {nofile: %d}; Kubernetes: LimitNOFILE of the container runtime", w.Need, w.Need)
}

// plan prints what the sessions asked for take in each mode, and what this
// container holds of them.
func (c command) plan() int {
	if len(c.args) > 0 {
		return c.usage("plan takes no arguments")
	}
	s, faults := settings.Load(c.environ)
	if faults != nil {
		return c.complain(faults)
	}
	w, err := c.workshop()
	if err != nil {
		return c.complain(err)
	}
	defer w.closing.close()
	table := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "mode\tsessions\tprocesses\topen files\tmemory MiB\tholds\tlimited by\t")
	for _, mode := range []sizing.Mode{sizing.Secure, sizing.Performance} {
		need := sizing.NeedOf(inMode(s.Ask(), mode), w.machine, sizing.Costs(w.dovecot.Dialect))
		holds, by := need.Sessions, "-"
		if walls := need.Walls(w.allowed); len(walls) > 0 {
			holds, by = walls[0].Sessions, fmt.Sprintf("%s %d", walls[0].Limit, walls[0].Have)
		}
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%d\t%s\t\n", mode, need.Sessions, need.Processes, need.Files, need.MemoryKiB>>10, holds, by)
	}
	table.Flush()
	c.printWalls(sizing.NeedOf(s.Ask(), w.machine, sizing.Costs(w.dovecot.Dialect)), w.allowed)
	return 0
}

func inMode(ask []sizing.Protocol, mode sizing.Mode) []sizing.Protocol {
	var all []sizing.Protocol
	for _, p := range ask {
		p.Mode = mode
		all = append(all, p)
	}
	return all
}

func (c command) printWalls(need sizing.Need, allowed sizing.Allowed) {
	var b strings.Builder
	for _, w := range need.Walls(allowed) {
		fmt.Fprintf(&b, "As it is set: only %d of %d sessions: %s is %d, and %d are needed. Raise it: %s\n", w.Sessions, need.Sessions, w.Limit, w.Have, w.Need, cure(w))
	}
	if b.Len() == 0 {
		fmt.Fprintf(&b, "As it is set: this container holds %d sessions.\n", need.Sessions)
	}
	if need.Deaf(allowed) {
		fmt.Fprintf(&b, "Only %d of %d inotify instances for clients that wait with IDLE: %s. Raise it %s\n", allowed.Inotify, need.Inotify, deafness, cureDeafness(need))
	}
	fmt.Fprint(c.stdout, b.String())
}
