// Package exporter serves metrics, probes and a status page over HTTP. It is a process of its
// own, which asks PID 1 on the control socket, so that no request of a client reaches PID 1.
package exporter

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"pidgeon/candidate"
	"pidgeon/dovecot"
	"pidgeon/settings"
	"pidgeon/status"
	"pidgeon/supervise"
)

// Command is the command of this program that serves; only the program itself calls it.
const Command = "exporter"

// pause is the time before an ended process is started again.
const pause = time.Second

// Listen opens the sockets of METRICS_PORT. An error is only logged, because mail can be
// served without metrics.
func Listen(log *slog.Logger, s settings.Settings) (sockets []*os.File) {
	port := int(s.MetricsPort)
	if port == 0 {
		return nil
	}
	addresses, _ := candidate.WithoutIPv6(s.MetricsAddresses())
	for _, address := range addresses {
		var socket *os.File
		l, err := candidate.Listen(address, port)
		if err == nil {
			socket, err = l.(*net.TCPListener).File()
			l.Close()
		}
		if err != nil {
			log.Error("no metrics", "address", address, "port", port, "error", err, "hint", candidate.BindHint("metrics", err))
			continue
		}
		sockets = append(sockets, socket)
	}
	return sockets
}

// KeepServing runs a process that serves on the sockets, again and again until ctx ends, and
// closes them.
func KeepServing(ctx context.Context, log *slog.Logger, run dovecot.Runner, runDir string, sockets []*os.File) {
	for ctx.Err() == nil && len(sockets) > 0 {
		cmd := exec.Command("/proc/self/exe", Command, runDir, strconv.Itoa(len(sockets)))
		cmd.Env = []string{"GOMAXPROCS=1", "GOMEMLIMIT=8MiB"}
		cmd.ExtraFiles = sockets
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
		err := run(ctx, cmd)
		if ctx.Err() == nil {
			log.Warn("metrics not served for a moment", "error", err)
		}
		supervise.Sleep(ctx, pause)
	}
	for _, socket := range sockets {
		socket.Close()
	}
}

// Serve answers on the sockets that KeepServing has passed, until a signal ends it.
func Serve(runDir string, sockets int) error {
	var listeners []net.Listener
	for i := range sockets {
		l, err := net.FileListener(os.NewFile(uintptr(3+i), "metrics"))
		if err != nil {
			return fmt.Errorf("taking over a socket: %w", err)
		}
		listeners = append(listeners, l)
	}
	status.Serve(listeners, pages(&source{runDir: runDir}))
	select {}
}
