package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
)

// maxReferenced bounds how much of a file is compared, in bytes.
const maxReferenced = 1 << 20

// contentsOf sums up files that the configuration refers to. One that cannot be
// read counts too: it may appear.
func contentsOf(paths []string) []byte {
	h := sha256.New()
	for _, path := range paths {
		fmt.Fprintf(h, "%q\n", path)
		if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() { // a FIFO would be waited for
			continue
		}
		f, err := os.Open(path)
		if err != nil {
			continue
		}
		_, _ = io.Copy(h, io.LimitReader(f, maxReferenced))
		f.Close()
	}
	return h.Sum(nil)
}
