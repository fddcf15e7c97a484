package mount

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"

	"pidgeon/config"
)

// Digest identifies the names and bytes that have an effect. Ignored entries do
// not count: an editor's swap file must not look like a change.
func (t Tree) Digest() config.Sum {
	h := sha256.New()
	addFiles(h, t.Conf)
	addFiles(h, t.Templates)
	return config.Sum(h.Sum(nil))
}

// addFiles writes lengths ahead of everything, so that no two trees can run
// together into the same bytes.
func addFiles(h hash.Hash, files config.Files) {
	addLength(h, len(files))
	for _, f := range files {
		addLength(h, len(f.Name))
		h.Write([]byte(f.Name))
		addLength(h, len(f.Data))
		h.Write(f.Data)
	}
}

func addLength(h hash.Hash, n int) {
	h.Write(binary.LittleEndian.AppendUint64(nil, uint64(n)))
}
