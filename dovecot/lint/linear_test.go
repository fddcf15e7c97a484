package lint

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pidgeon/config"
	"pidgeon/dovecot"
)

// Twice as many lines of an override cost about twice as much, not four times.
func TestCostGrowsWithLines(t *testing.T) {
	lines := func(format string) func(n int) string {
		return func(n int) string {
			var b strings.Builder
			for i := range n {
				fmt.Fprintf(&b, format, i)
			}
			return b.String()
		}
	}
	everywhere := "doveconf: Warning: /g/overrides/10-x.conf line %d: Global setting x won't change the setting inside an earlier filter\n"
	for name, tt := range map[string]struct {
		override, said func(n int) string
	}{
		"filters":        {lines("local_name x%d {\n  ssl_cert = </x\n}\n"), nil},
		"plugin":         {func(n int) string { return "plugin {\n" + lines("  key%d = value\n")(n) + "}\n" }, nil},
		"same":           {lines("login_greeting = %d\n"), nil},
		"built upon":     {lines("mail_plugins = $mail_plugins a%d\n"), nil},
		"mentioned":      {lines("a%[1]d = $b%[1]d\nb%[1]d = 1\nb%[1]d = 2\n"), nil},
		"plugins":        {lines("protocol x%d {\n  mail_plugins = nosuch%[1]d\n}\n"), nil},
		"users":          {lines("service x%d {\n  user = u%[1]d\n}\n"), nil},
		"services":       {lines("service x%d {\n}\n"), nil},
		"executables":    {lines("service x%d {\n  executable = x\n}\n"), nil},
		"unnamed":        {lines("passdb {\n  driver = d%d\n}\n"), nil},
		"nested":         {lines("a {\n  b%d = 1\n"), nil},
		"continued":      {lines("a%d \\\n"), nil},
		"includes":       {lines("!include_try nothing%d\n"), nil},
		"certificates":   {lines("local_name x%d {\n  ssl_cert = </x%[1]d\n  ssl_key = </y%[1]d\n}\n"), nil},
		"warnings":       {lines("x = %d\n"), func(n int) string { return fmt.Sprintf(strings.Repeat(everywhere, n), counted(n)...) }},
		"refused":        {lines("service x%d {\n  y z\n}\n"), lines("doveconf: Fatal: x\n")},
		"unclosed":       {lines("service x%d {\n"), lines("doveconf: Fatal: x\n")},
		"unclosed, deep": {func(n int) string { return strings.Repeat("a {\n", n) + strings.Repeat("\n", n) }, lines("doveconf: Fatal: x\n")},
	} {
		t.Run(name, func(t *testing.T) {
			cost := func(n int) time.Duration {
				files := config.Files{
					{Name: config.Main, Origin: "main", Data: []byte("!include overrides/*.conf\n")},
					{Name: "overrides/10-x.conf", Origin: mine, Override: true, Data: []byte(tt.override(n))},
				}
				dir, said := t.TempDir(), ""
				if tt.said != nil {
					said = strings.ReplaceAll(tt.said(n), "/g/", dir+"/")
				}
				d := fake("service/auth/client_limit = 1\n", said, nil)
				return cpuTime(func() { lookAtAll(t, d, files, dir) })
			}
			const n = 4000
			var once, twice time.Duration
			for range 5 { // a clock that ticks every 10 ms says nothing of less
				if once, twice = cost(n), cost(2*n); twice < 3*once || twice < 30*time.Millisecond {
					return
				}
			}
			t.Errorf("%d lines cost %v, and %d cost %v", n, once, 2*n, twice)
		})
	}
}

// cpuTime is what a function costs this thread, whatever else the machine does.
func cpuTime(f func()) time.Duration {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, after unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_THREAD, &before)
	f()
	_ = unix.Getrusage(unix.RUSAGE_THREAD, &after)
	return time.Duration(after.Utime.Nano() - before.Utime.Nano())
}

func counted(n int) (all []any) {
	for i := range n {
		all = append(all, i+1)
	}
	return all
}

// lookAtAll asks everything of a configuration.
func lookAtAll(t *testing.T, d *dovecot.Dovecot, files config.Files, dir string) {
	c := Parse(files, dir)
	if _, err := Check(t.Context(), d, dir+"/"+config.Main, c); err != nil {
		t.Fatal(err)
	}
	s := c.WithSockets(dovecot.Settings{"service/auth/client_limit": "1"})
	c.Lines()
	c.References()
	c.CertificatePairs()
	c.OwnedSettingFaults(map[string]string{"base_dir": "/x"})
	c.LimitFaults(s)
	c.ChangedListeners(s, []config.Listener{{Name: "imap", Port: 143}}, false)
	c.LogComplaints("imap: Error: x\n")
}
