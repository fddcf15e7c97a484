package container

import (
	"os"
	"path/filepath"
	"testing"
)

func TestCgroup(t *testing.T) {
	tests := []struct {
		name  string
		files map[string]string
		want  int
	}{
		{"version 2", map[string]string{
			"proc/self/cgroup":            "0::/\n",
			"sys/fs/cgroup/memory.max":    "268435456\n",
			"sys/fs/cgroup/memory.max.sv": "1\n",
		}, 268435456},
		{"version 2 without a limit", map[string]string{
			"proc/self/cgroup":         "0::/\n",
			"sys/fs/cgroup/memory.max": "max\n",
		}, none},
		{"the parent's is lower", map[string]string{
			"proc/self/cgroup":                 "0::/pod/box\n",
			"sys/fs/cgroup/pod/memory.max":     "100\n",
			"sys/fs/cgroup/pod/box/memory.max": "200\n",
		}, 100},
		{"version 1, the host's path is not to be seen", map[string]string{
			"proc/self/cgroup":                           "9:cpu,memory:/docker/0123\n1:pids:/docker/0123\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "512\n",
			"sys/fs/cgroup/pids/memory.limit_in_bytes":   "1\n",
		}, 512},
		{"version 1 without a limit", map[string]string{
			"proc/self/cgroup":                           "9:memory:/\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
		}, none},
		{"nothing to be seen", nil, none},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			root := t.TempDir()
			for name, text := range test.files {
				path := filepath.Join(root, name)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if got := cgroup(root, "memory", "memory.max", "memory.limit_in_bytes"); got != test.want {
				t.Errorf("got %d, want %d", got, test.want)
			}
		})
	}
}

// What is read here is what the kernel says here; only its presence can be known.
func TestMeasure(t *testing.T) {
	machine, allowed, err := Measure(nil)
	if err != nil || machine.CPUs < 1 || machine.Files < 1 || machine.Inotify < 1 || allowed.Files != machine.Files {
		t.Errorf("got %+v, %+v, %v: each machine has CPUs, files and inotify instances", machine, allowed, err)
	}
}
