package supervise

import (
	"fmt"
	"testing"
)

func TestRaiseFiles(t *testing.T) {
	for _, tt := range []struct {
		name       string
		soft, hard int
		want       int
		least      int // of what is reported; the child must get the same
		most       int
	}{
		{"raised", 256, 4096, 1000, 1000, 4095},
		{"raised to the hard limit", 256, 4096, 4096, 4096, 4096},
		{"never lowered", 512, 512, 100, 512, 512},
		{"below the runtime's own raise", 2000, 4096, 1000, 2000, 4095},
		{"beyond the hard limit", 256, 1024, 2048, 1024, 2048},
		{"beyond any limit", 256, 1024, 1 << 30, 1024, 1024},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := supervisor(t)
			setup := fmt.Sprintf("ulimit -Sn %d; ulimit -Hn %d", tt.soft, tt.hard)
			cmd := selfUnder(t, setup, fmt.Sprint("files ", tt.want))
			lines := output(t, cmd)
			p := started(t, s, cmd)
			told, got := number(t, lines), number(t, lines)
			if told < tt.least || told > tt.most || got != told {
				t.Errorf("told %d, child got %d, want %d to %d", told, got, tt.least, tt.most)
			}
			exitCode(t, p)
		})
	}
}
