package container

import (
	"errors"
	"fmt"
	"net"
	"os"
)

// ListenPrivately opens a Unix socket for this user alone.
func ListenPrivately(path string) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("removing a stale socket: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("opening a socket: %w", err)
	}
	if err := os.Chmod(path, 0o700); err != nil { // whatever our umask is
		return nil, fmt.Errorf("closing a socket to others: %w", err)
	}
	return l, nil
}
