package supervise

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

// resident is the memory of files that is mapped into us, in KiB.
func resident(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "RssFile:"); ok {
			n, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatal("no RssFile in /proc/self/status")
	return 0
}

func TestReleaseMemory(t *testing.T) {
	program, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	before := resident(t)
	ReleaseMemory()
	after := resident(t)
	if after >= before {
		t.Errorf("%d KiB are resident, %d were before", after, before)
	}
	again, err := os.ReadFile("/proc/self/exe")
	if err != nil || len(again) != len(program) {
		t.Errorf("the program goes on with %d of %d bytes, %v", len(again), len(program), err)
	}
}

func TestUnwritten(t *testing.T) {
	for line, want := range map[string]bool{
		"00400000-0087c000 r-xp 00000000 fe:00 1 /usr/bin/pidgeon":  true,
		"0087c000-00c1f000 r--p 0047c000 fe:00 1 /usr/bin/pidgeon":  true,
		"00c1f000-00c7b000 rw-p 0081f000 fe:00 1 /usr/bin/pidgeon":  false,
		"7f0000000000-7f0000001000 r--p 00000000 fe:00 2 /lib/x.so": false,
		"7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0 [stack]":   false,
		"c000000000-c000400000 rw-p 00000000 00:00 0":               false,
		"nonsense r--p 00000000 fe:00 1 /usr/bin/pidgeon":           false,
	} {
		if _, _, ok := unwritten(line+"\n", "/usr/bin/pidgeon"); ok != want {
			t.Errorf("%s: %t, want %t", line, ok, want)
		}
	}
}
