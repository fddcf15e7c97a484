package torture

import (
	_ "embed"
	"encoding/json"
	"errors"
	"go/build"
	"os"
	"path/filepath"
	"strings"
)

// clockVar names the file that says how many seconds the clock is off. libfaketime
// does not reach a static binary, and the machine's own clock is everybody's.
const clockVar = "PIDGEON_TEST_CLOCK"

const clockRead = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"

//go:embed clock.go.txt
var clockHook string

// clockHookIn writes to dir what Build needs to make a pidgeon whose wall clock
// jumps, while its monotonic clock goes on: Go's own package time with a time.Now
// that looks into a file.
func clockHookIn(dir string) (flags []string, err error) {
	original := filepath.Join(build.Default.GOROOT, "src", "time", "time.go")
	text, err := os.ReadFile(original)
	if err != nil {
		return nil, err
	}
	hooked := strings.Replace(string(text), clockRead, clockRead+"\tsec += testClock.Load()\n", 1) + "\n" + clockHook
	hooked = strings.Replace(hooked, "import (\n", "import (\n\t\"sync/atomic\"\n\t\"syscall\"\n", 1)
	if !strings.Contains(hooked, "testClock.Load()") {
		return nil, errors.New("this Go's time.Now is another one: adapt the hook")
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {original: filepath.Join(dir, "time.go")}})
	if err != nil {
		return nil, err
	}
	for name, data := range map[string]string{"time.go": hooked, "overlay.json": string(overlay)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o644); err != nil {
			return nil, err
		}
	}
	return []string{"-overlay", filepath.Join(dir, "overlay.json")}, nil
}

// setClock puts a server's clock off by some seconds. It was built with clockHookIn.
func (s *server) setClock(seconds string) error {
	s.Environ[clockVar] = filepath.Join(s.Work, "clock")
	return os.WriteFile(s.Environ[clockVar], []byte(seconds), 0o644)
}
