package torture

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"pidgeon/tests/pidgeontest"
)

// TestRehearsalsLeaveMailAlone judges configurations that write in many places, each by
// a rehearsal, and compares the volume before and after. make torture does so a thousand
// times, with the corpus.
func TestRehearsalsLeaveMailAlone(t *testing.T) {
	written, err := txtar.ParseFile("volume.txtar")
	if err != nil {
		t.Fatal(err)
	}
	onEach(t, func(t *testing.T, dialect, root string) {
		s := newServer(t, dialect, root)
		volume := makeVolume(t, s)
		places := strings.NewReplacer("@VOLUME@", "/srv", "@REFS@", s.path("refs"), "@WORK@", s.Work, "@BUSY@", "1", "@FREE@", pidgeontest.FreePort())
		makeRefs(t, s.path("refs"))
		before := contents(t, volume)
		look := func(name, text string, passes bool) {
			s.override(t, name, places.Replace(text))
			var said bytes.Buffer
			code, err := s.Run(pidgeontest.Launch{Before: "mount --bind " + volume + " /srv", Environ: []string{"PROTOCOLS=imap,pop3,lmtp,sieve"}, Args: []string{"check"}}, &said, &said)
			if err != nil || passes && code != 0 {
				t.Errorf("%s: exit code %d, %v\n%s", name, code, err, &said)
			}
			if err := os.Remove(s.path("overrides", name)); err != nil {
				t.Fatal(err)
			}
			if now := contents(t, volume); now != before {
				t.Errorf("%s: the volume was\n%sand is\n%s", name, before, now)
				before = now
			}
		}
		for _, f := range written.Files {
			if name, ok := strings.CutPrefix(f.Name, dialect+" "); ok {
				look(strings.ReplaceAll(name, " ", "-")+".conf", string(f.Data), true)
			}
		}
		if !*whole {
			return
		}
		all := selection(corpus(t), dialect)
		for i := range 1000 {
			o := all[i%len(all)]
			look(o.name, strings.ReplaceAll(o.text, "~/", "@VOLUME@/"), false)
		}
	})
}

// makeVolume is a volume with mail and what lies beside it, all of it writable.
func makeVolume(t *testing.T, s *server) string {
	t.Helper()
	volume := s.path("volume")
	s.Environ["MAIL_DIR"] = "/srv/mail"
	for _, dir := range []string{"index", "control", "volatile", "boxes", "alt", "inboxes", "public/.News/cur", "archive", "imap", "lmtp", "expunged", "dict", "acl", "sieve/before", "log", "virtual/all", "attachments", "mail/alice/mail/cur"} {
		if err := os.MkdirAll(filepath.Join(volume, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, volume+"/mail/alice/mail/cur/1:2,S", "Subject: hello\n\nbody\n")
	write(t, volume+"/public/.News/cur/1:2,S", "Subject: news\n\nbody\n")
	write(t, volume+"/virtual/all/dovecot-virtual", "*\n  all\n")
	write(t, volume+"/dict/last-login", "last-login/alice\n1\n")
	write(t, volume+"/log/info", "before\n")
	write(t, volume+"/acl/INBOX", "owner lrwstipekxa\n")
	write(t, volume+"/post-login", "#!/bin/sh\necho \"$USER\" >>/srv/log/logins\nexec \"$@\"\n")
	err := filepath.WalkDir(volume, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chmod(path, 0o777)
	})
	if err == nil {
		err = filepath.WalkDir(volume, func(path string, _ fs.DirEntry, err error) error { return os.Chown(path, 5000, 5000) })
	}
	if err != nil {
		t.Fatal(err)
	}
	return volume
}

// contents is every name below a directory, with size, mode, time and sum.
func contents(t *testing.T, dir string) string {
	t.Helper()
	var lines []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		data, _ := os.ReadFile(path)
		lines = append(lines, fmt.Sprintf("%s %v %d %v %x\n", strings.TrimPrefix(path, dir), info.Mode(), info.Size(), info.ModTime().UnixNano(), sha256.Sum256(data)))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}
