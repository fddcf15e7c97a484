package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"pidgeon/bench/load"
	"pidgeon/bench/usage"
)

// domain is that of the backends; one certificate names all of them.
const domain = "bench.example"

// proxied is what a login and a session cost through a proxy, beside a server that has
// the mail itself: logins per second, and memory of the proxy and of all.
func (b *bench) proxied() error {
	var rows []row
	for _, backends := range []int{0, 1, 2, 4} {
		name := fmt.Sprintf("proxy-and-%d", backends)
		if backends == 0 {
			name = "direct"
		}
		rows = append(rows, row{name, func(b *bench) (string, error) { return b.through(name, backends) }})
	}
	return b.interleave("Proxied", rows)
}

func (b *bench) through(name string, backends int) (string, error) {
	p := freePorts()
	proxy, err := b.ours(name, "performance", p)
	if err != nil {
		return "", err
	}
	var behind []*server
	var hosts strings.Builder
	for i := range backends {
		address := fmt.Sprintf("127.%d.1.%d", 10+os.Getpid()%200, i+1)
		fmt.Fprintf(&hosts, "%s mail-%d.%s\\n", address, i, domain)
		backend, err := b.ours(fmt.Sprint(name, "-backend-", i), "performance", ports{fmt.Sprint(p.IMAP, "-", i), "0"})
		if err != nil {
			return "", err
		}
		backend.environ = append(backend.environ, "LISTEN="+address, "IMAP_PORT=143", "TRUSTED_NETWORKS=127.0.0.1")
		server, err := b.launch(backend)
		if err != nil {
			return "", err
		}
		defer server.Kill()
		server.open()
		if !server.Log.Await("msg=started", patience) {
			return "", server.fault("it does not start")
		}
		behind = append(behind, server)
	}
	if backends > 0 {
		proxy.prepare = "printf '" + hosts.String() + "' >>/etc/hosts"
		proxy.environ = append(proxy.environ, "ROLE=proxy", "USERS_FILE=", "BACKEND_CA_PATH="+b.path("tls.crt"),
			fmt.Sprintf("BACKENDS=mail-{0..%d}.%s", backends-1, domain))
	}
	front, err := b.start(proxy)
	if err != nil {
		return "", err
	}
	defer front.Kill()
	time.Sleep(settled)
	all := func() (pids []int) {
		for _, s := range append(behind, front) {
			pids = append(pids, s.PIDs()...)
		}
		return pids
	}
	load.Prepare(p.IMAPS)
	time.Sleep(calm)
	memory, frontMemory := usage.MemoryOf(all()...).PSS, pss(front)
	crowd := &load.Crowd{Port: p.IMAPS, AtOnce: 8}
	b.gather(crowd, b.sessions)
	time.Sleep(b.settle)
	held := float64(max(1, crowd.Held()))
	each, frontEach := float64(usage.MemoryOf(all()...).PSS-memory)/held, (pss(front)-frontMemory)/held
	alive := crowd.Alive()
	crowd.Leave()
	time.Sleep(calm)
	cpu, frontCPU := usage.CPUOf(all()...), usage.CPUOf(front.PIDs()...)
	did := load.LogInAndOut(p.IMAPS, b.duration)
	cpu, frontCPU = usage.CPUOf(all()...)-cpu, usage.CPUOf(front.PIDs()...)-frontCPU
	for _, s := range append(behind, front) {
		if b.only != "" {
			fmt.Fprintf(os.Stderr, "%s warned of %q\n", s.name, complaints(s.Log.All()))
		}
	}
	count := float64(max(1, len(did.Took)))
	return fmt.Sprintf("%.0f held %d alive %.1f KiB/session %.1f front-KiB/session %.2f logins/s %.2f logins/CPU-s %.6f CPU-s/login %.6f front-CPU-s/login %.6f sec-p50 %d failed %.3f CPUs-busy",
		held, alive, each, frontEach, count/did.Lasted.Seconds(), count/(cpu+did.CPU).Seconds(), cpu.Seconds()/count, frontCPU.Seconds()/count,
		did.Percentile(50).Seconds(), did.Failed, (cpu+did.CPU).Seconds()/did.Lasted.Seconds()), nil
}
