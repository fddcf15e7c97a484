package main

import (
	"fmt"
	"time"

	"pidgeon/bench/load"
	"pidgeon/bench/usage"
)

// settled is the time between a server's first greeting and the first login.
const settled = time.Second

// loginsPerSecond is how many full TLS logins each configuration does with eight
// clients that log in and out as fast as they can. The clients run on the same
// processors, and what they take is counted in "logins/CPU-s": on a busy machine that
// is the figure to compare, as it leaves out who else had the CPU.
func (b *bench) loginsPerSecond() error {
	return b.interleave("Logins", rowsOf(configurations(b.dialect), (*bench).logins))
}

func (b *bench) logins(c configuration) (string, error) {
	server, err := b.serve(c)
	if err != nil {
		return "", err
	}
	defer server.Kill()
	time.Sleep(settled)
	load.Prepare(server.ports.IMAPS)
	before := usage.CPUOf(server.PIDs()...)
	did := load.LogInAndOut(server.ports.IMAPS, b.duration)
	cpu := (usage.CPUOf(server.PIDs()...) - before).Seconds()
	count, both := float64(max(1, len(did.Took))), cpu+did.CPU.Seconds()
	return fmt.Sprintf("%.2f logins/s %.2f logins/CPU-s %.6f sec-p50 %.6f sec-p99 %d failed %.6f server-CPU-s/login %.2f clients-%% %.3f CPUs-busy",
		count/did.Lasted.Seconds(), count/both, did.Percentile(50).Seconds(), did.Percentile(99).Seconds(), did.Failed, cpu/count,
		100*did.CPU.Seconds()/both, both/did.Lasted.Seconds()), nil
}

// serve starts a configuration's server.
func (b *bench) serve(c configuration) (*server, error) {
	s, err := b.spec(c)
	if err != nil {
		return nil, err
	}
	return b.start(s)
}
