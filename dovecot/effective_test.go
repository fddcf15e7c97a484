package dovecot_test

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"pidgeon/dovecot"
	"pidgeon/tests/dovecottest"
)

// asked is what a check asks for.
func asked() []string {
	names := append(dovecot.PortSettings(), "default_client_limit", "default_process_limit", "default_vsz_limit", "base_dir", "state_dir", "instance_name", "log_path", "info_log_path", "shutdown_clients", "listen", "protocols")
	for _, service := range []string{"imap-login", "imap", "pop3-login", "pop3", "lmtp", "managesieve-login", "submission-login", "auth", "anvil", "stats", "config", "imap-hibernate"} {
		names = append(names, dovecot.LimitSettings(service)...)
	}
	return names
}

// TestEffectiveAsAskedFor compares with what doveconf says of each setting that it is
// asked for by name.
func TestEffectiveAsAskedFor(t *testing.T) {
	count := map[string]string{"2.3": "service_count", "2.4": "restart_request_count"}
	protocols := map[string]string{"2.3": "protocols = imap pop3\n", "2.4": "protocols {\n  pop3 = no\n}\n"}
	for _, dialect := range dovecottest.Dialects {
		for name, override := range map[string]string{
			"untouched":       "",
			"at its default":  "service imap-login {\n  inet_listener imap {\n    port = 143\n  }\n}\n",
			"off":             "service imap-login {\n  inet_listener imap {\n    port = 0\n  }\n}\n",
			"limits":          "service imap {\n  process_limit = 7\n  client_limit = 2\n  " + count[dialect] + " = 9\n  vsz_limit = 1 G\n}\n",
			"of all services": "default_process_limit = 3\ndefault_client_limit = 99\ndefault_vsz_limit = 100 M\n",
			"protocols":       protocols[dialect],
			"addresses":       "listen = 127.0.0.1, ::1\n",
			"quoted":          "login_greeting = \"a \\\" b\"\nbase_dir = \"/run/x\"\n",
		} {
			t.Run(dialect+"/"+name, func(t *testing.T) {
				dir := t.TempDir()
				dovecottest.Configuration(t, dialect, dir, override)
				d := dovecottest.Installed(t, dialect, dir)
				got, err := d.Effective(t.Context(), dovecottest.Main, asked()...)
				if err != nil {
					t.Fatal(err)
				}
				var out strings.Builder
				cmd := exec.Command(d.Doveconf, append([]string{"-c", dovecottest.Main}, asked()...)...)
				cmd.Stdout = &out
				if err := d.Run(t.Context(), cmd); err != nil {
					t.Fatal(err)
				}
				want := dovecot.ParseDump(out.String())
				for setting, value := range want {
					if got.Settings[setting] != value && !(strings.HasPrefix(setting, "protocols/") && value == "no") {
						t.Errorf("%s = %q, want %q", setting, got.Settings[setting], value)
					}
				}
				for _, setting := range asked() {
					if _, ok := want[setting]; !ok && got.Settings[setting] != "" {
						t.Logf("doveconf does not say that %s = %q", setting, got.Settings[setting])
					}
				}
			})
		}
	}
}

// TestEffectiveCost has a configuration with many sections, each of which costs Dovecot
// time when it is asked for settings by name.
func TestEffectiveCost(t *testing.T) {
	var override strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&override, "service x%d {\n}\n", i)
	}
	for _, dialect := range dovecottest.Dialects {
		t.Run(dialect, func(t *testing.T) {
			dir := t.TempDir()
			dovecottest.Configuration(t, dialect, dir, override.String())
			d := dovecottest.Installed(t, dialect, dir)
			once := func(work func() error) time.Duration {
				before := childrenTime()
				if err := work(); err != nil {
					t.Fatal(err)
				}
				return childrenTime() - before
			}
			var dumps, effectives []time.Duration
			for range 3 { // what else the machine does costs caches
				dumps = append(dumps, once(func() error { _, err := d.Dump(t.Context(), dovecottest.Main, true); return err }))
				effectives = append(effectives, once(func() error {
					_, err := d.Effective(context.Background(), dovecottest.Main, asked()...)
					return err
				}))
			}
			t.Logf("one look %v, the effective configuration %v", slices.Min(dumps), slices.Min(effectives))
			if slices.Min(effectives) > 3*slices.Min(dumps)+100*time.Millisecond { // 2.4 takes two looks
				t.Errorf("the effective configuration takes %v, one look at all of it %v", slices.Min(effectives), slices.Min(dumps))
			}
		})
	}
}

// childrenTime is the processor time of the processes that this one has waited for: unlike
// the clock it leaves out who else wanted the processor.
func childrenTime() time.Duration {
	var used syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_CHILDREN, &used)
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// TestBusyMachine has doveconf take long: as long as it may where others want the
// processor as well, and longer, when it hangs.
func TestBusyMachine(t *testing.T) {
	for _, tt := range []struct {
		takes time.Duration
		want  string
	}{
		{15 * time.Second, ""},
		{time.Hour, "reading the effective configuration: it does not answer within 20s"},
	} {
		synctest.Test(t, func(t *testing.T) {
			d := &dovecot.Dovecot{Doveconf: "/usr/bin/doveconf", Run: func(ctx context.Context, cmd *exec.Cmd) error {
				select {
				case <-ctx.Done():
				case <-time.After(tt.takes):
				}
				_, err := cmd.Stdout.Write([]byte("base_dir = /x\n"))
				return err
			}}
			_, err := d.Dump(t.Context(), "x", true)
			if got := fmt.Sprint(err); err != nil && got != tt.want || err == nil && (tt.want != "" || d.SlowestDoveconf() != tt.takes) {
				t.Errorf("after %v: %v, and it took %v", tt.takes, err, d.SlowestDoveconf())
			}
		})
	}
}
