package container

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"pidgeon/sizing"
)

// The log and a person are told the same.
func TestRemarks(t *testing.T) {
	imap := func(mode sizing.Mode, share int) []sizing.Protocol {
		return []sizing.Protocol{{Name: "imap", Sessions: 1000, Mode: mode, Reuse: true, Share: share}}
	}
	for _, tt := range []struct {
		demand         []sizing.Protocol
		allowed        sizing.Allowed
		line, sentence string
	}{
		{
			imap(sizing.Secure, 0),
			sizing.Allowed{Files: 1 << 20},
			`level=INFO msg="this container holds the sessions asked for" sessions=1000`,
			"As it is set: this container holds 1000 sessions.",
		},
		{
			imap(sizing.Secure, 0),
			sizing.Allowed{Processes: 1000, Files: 1 << 20},
			`level=WARN msg="this container holds fewer sessions than asked for" sessions=471 asked=1000 limit=pids.max is=1000 needed=2148 cure="docker run --pids-limit 2148; Compose: pids_limit: 2148; Kubernetes: podPidsLimit of the kubelet; or IMAP_MODE=performance"`,
			"As it is set: only 471 of 1000 sessions: pids.max is 1000, and 2148 are needed. Raise it: docker run --pids-limit 2148; Compose: pids_limit: 2148; Kubernetes: podPidsLimit of the kubelet; or IMAP_MODE=performance",
		},
		{
			imap(sizing.Secure, 0),
			sizing.Allowed{MemoryKiB: 256 << 10, MemoryBy: "memory.max", Files: 1 << 20},
			`level=WARN msg="this container holds fewer sessions than asked for" sessions=55 asked=1000 limit=memory.max is=256MiB needed=4105MiB cure="docker run --memory 4105m; Compose: mem_limit: 4105m; Kubernetes: resources.limits.memory: 4105Mi; or IMAP_MODE=performance"`,
			"As it is set: only 55 of 1000 sessions: memory.max is 256MiB, and 4105MiB are needed. Raise it: docker run --memory 4105m; Compose: mem_limit: 4105m; Kubernetes: resources.limits.memory: 4105Mi; or IMAP_MODE=performance",
		},
		{
			[]sizing.Protocol{{Name: "imap", Auto: true, Mode: sizing.Auto}},
			sizing.Allowed{MemoryKiB: 18 << 20, MemoryBy: sizing.MachineMemory, Files: 1 << 20},
			`level=INFO msg="this container holds as many sessions as there is room for" sessions=10084 limit="9/10 of MemTotal" is=18432MiB cure="a machine with 31915 MiB"`,
			"As it is set: this container holds 10084 sessions, which is what there is room for: 9/10 of MemTotal is 18432MiB. Raise it for half as many more: a machine with 31915 MiB",
		},
		{
			imap(sizing.Performance, 0),
			sizing.Allowed{MemoryKiB: 1 << 20, MemoryBy: "memory.max", Files: 1 << 20},
			`level=WARN msg="session processes are shared, to make do with the memory" clients=3 limit=memory.max is=1024MiB needed=1977MiB effect="while a session process works for one of its clients, the others wait"`,
			"To make do with the memory, 3 clients share a session process: while a session process works for one of its clients, the others wait.",
		},
		{
			imap(sizing.Performance, 0),
			sizing.Allowed{Files: 1 << 20, Inotify: 128},
			`level=WARN msg="too few inotify instances for every client to wait with IDLE" is=128 needed=1046 effect="the others hear of new mail up to 30 s later, keep their process while they wait, and Dovecot warns of each" cure="on the host: sysctl -w fs.inotify.max_user_instances=1046"`,
			"Only 128 of 1046 inotify instances for clients that wait with IDLE: the others hear of new mail up to 30 s later, keep their process while they wait, and Dovecot warns of each. Raise it on the host: sysctl -w fs.inotify.max_user_instances=1046",
		},
	} {
		f := Facts{Machine: sizing.Machine{CPUs: 2, Files: 1 << 20}, Allowed: tt.allowed}
		var log bytes.Buffer
		demand := f.Budget("2.4").Fit(tt.demand)
		f.Announce(slog.New(slog.NewTextHandler(&log, nil)), demand, "2.4")
		if !strings.Contains(log.String(), tt.line+"\n") {
			t.Errorf("got\n%swant %s", &log, tt.line)
		}
		if got := fmt.Sprint(f.Remarks(demand, "2.4")); !strings.Contains(got, tt.sentence) {
			t.Errorf("got %s\nwant %s", got, tt.sentence)
		}
	}
}
