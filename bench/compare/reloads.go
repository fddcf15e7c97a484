package main

import (
	"fmt"
	"slices"
	"time"

	"pidgeon/bench/load"
)

// loginsAcrossReloads is how many of the clients that log in and out as fast as they can
// are turned away by reloads, one after the other. A bare Dovecot with the same
// configuration loses some too.
func (b *bench) loginsAcrossReloads() error {
	direct := slices.DeleteFunc(slices.Clone(ways), func(w way) bool { return w.init != bare && w.init != "" })
	return b.interleave("Reloads", rowsOf(direct, (*bench).lose))
}

func (b *bench) lose(w way) (string, error) {
	server, file, err := b.edited(w)
	if err != nil {
		return "", err
	}
	defer server.Kill()
	time.Sleep(settled)
	load.Prepare(server.ports.IMAPS)
	done := make(chan error, 1)
	reloads := 0
	go func() {
		var err error
		for end := time.Now().Add(b.duration - pause); err == nil && time.Now().Before(end); reloads++ {
			_, err = timeOne(server, w, file, fmt.Sprintf("edit%d", reloads))
			time.Sleep(pause)
		}
		done <- err
	}()
	did := load.LogInAndOut(server.ports.IMAPS, b.duration)
	if err := <-done; err != nil {
		return "", err
	}
	return fmt.Sprintf("%d logins %d failed %d reloads %.3f failed/reload", len(did.Took), did.Failed, reloads, float64(did.Failed)/float64(reloads)), nil
}
