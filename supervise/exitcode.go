package supervise

import (
	"errors"
	"io/fs"
	"os/exec"

	"golang.org/x/sys/unix"
)

const (
	cannotExecute = 126
	notFound      = 127
	unknownCode   = 255 // someone else waited for the child
)

// StartExitCode is the exit code for a command that could not be started, as
// shells and docker run give it: 127 if it was not found, 126 if it was found
// but cannot be executed.
func StartExitCode(err error) int {
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		return notFound
	}
	return cannotExecute
}

func codeOf(status unix.WaitStatus) int {
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}
