package config

import (
	"fmt"
	"io"
	"os"
	"syscall"
)

// Unfit is why a file that is there is not read.
type Unfit string

func (u Unfit) Error() string { return string(u) }

// ReadRegular reads a regular file of so many bytes at most: a FIFO would block, and a device
// may have no end.
func ReadRegular(path string, most int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, Unfit("not a regular file")
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // it may be a FIFO by now
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	switch {
	case err != nil:
		return nil, err
	case int64(len(data)) > most:
		return nil, Unfit(fmt.Sprintf("larger than %d MiB", most>>20))
	}
	return data, nil
}
