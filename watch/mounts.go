package watch

import (
	"os"
	"strconv"
	"strings"
)

// replacedMounts lists the mount points among the surveyed paths whose source
// was removed or replaced on the host. The mount keeps the old inode for ever;
// nothing inside the container can see the new one.
func (s *survey) replacedMounts() []string {
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil
	}
	var gone []string
	for point, deleted := range mountPoints(string(table)) {
		if m := s.paths[point]; m != nil && (deleted || m.links == 0) {
			gone = append(gone, point)
		}
	}
	return gone
}

// mountPoints reads a mountinfo table: which paths are mount points, and
// whether the kernel calls the source deleted. Of mounts on top of each other
// the last is the one that is seen.
func mountPoints(table string) map[string]bool {
	points := map[string]bool{}
	for line := range strings.Lines(table) {
		fields := strings.Fields(line)
		if len(fields) < 5 {
			continue
		}
		points[unescape(fields[4])] = strings.HasSuffix(fields[3], "//deleted")
	}
	return points
}

// unescape undoes the octal notation for blanks and backslashes in /proc.
func unescape(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+4 <= len(text) {
			if c, err := strconv.ParseUint(text[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(c))
				i += 3
				continue
			}
		}
		b.WriteByte(text[i])
	}
	return b.String()
}
