package main

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pidgeon/tests/pidgeontest"
)

// go test -run TestPage/2.4 . -update
var update = flag.Bool("update", false, "take docs/page.png anew")

// TestPage has a browser show the page while an override is refused and sessions are held,
// as wide as a phone and as a desktop, without scripts.
func TestPage(t *testing.T) {
	t.Parallel()
	need(t, "chromium-headless-shell")
	binary := built(t)
	// One after the other: the kernel counts the connections of both together.
	pidgeontest.OnEach(t, func(t *testing.T, dialect, root string) {
		s := newSite(t, root, binary)
		address := s.address(0)
		server := s.server(address, nil)
		users := server.Environ["USERS_FILE"]
		server.Environ = map[string]string{
			"PATH": server.Environ["PATH"], "USERS_FILE": users, "LISTEN": address, "METRICS_PORT": "9154",
			"MAIL_HOSTNAME": "mail.example.com", "IMAP_CONCURRENCY": "200", "MAX_CONNECTIONS_PER_USER_IP": "20",
		}
		override := func(name, text string) {
			if err := os.WriteFile(filepath.Join(server.Work, "overrides", name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		override("10-greeting.conf", "login_greeting = Mail of Example\n")
		if err := server.Start(pidgeontest.Launch{Before: "mount --bind " + server.Work + "/overrides /overrides"}); err != nil {
			t.Fatal(err)
		}
		s.healthy(server)
		override("20-limits.conf", "service imap {\n  process_limits = 400\n}\n")
		if !server.Log.Await("msg=refused", pidgeontest.Patience) {
			t.Fatal(server.Log.Tail(20))
		}
		const held = 37
		for i := range held {
			holdAt(t, net.JoinHostPort(address, "993"), fmt.Sprintf("user%d", i))
		}

		b := browse(t)
		for _, screen := range []struct {
			name          string
			width, height int
			phone         bool
		}{{"phone", 390, 844, true}, {"desktop", 1280, 800, false}} {
			b.do("Emulation.setDeviceMetricsOverride", map[string]any{"width": screen.width, "height": screen.height, "deviceScaleFactor": 1, "mobile": screen.phone}, nil)
			var page shown
			counted := func() bool {
				page = b.show("http://" + net.JoinHostPort(address, "9154") + "/")
				return strings.Contains(page.Text, fmt.Sprintf("imap %d of 200 ", held))
			}
			if !pidgeontest.Within(pidgeontest.Patience, counted) {
				t.Errorf("%s: the sessions are missing in\n%s", screen.name, page.Text)
			}
			for _, want := range []string{
				"serves, but not what was asked for last", "/overrides/20-limits.conf:2: Unknown setting: ", "process_limits",
				"imaps port 993", "expires ", "overrides 10-greeting.conf", "0 loaded, 1 refused", "MAX_CONNECTIONS_PER_USER_IP 20", "USERS (set)",
			} {
				if !strings.Contains(page.Text, want) {
					t.Errorf("%s: %q is missing in\n%s", screen.name, want, page.Text)
				}
			}
			if page.Window != screen.width || page.Wide > screen.width {
				t.Errorf("%s: the page is %d wide in a window of %d, not %d", screen.name, page.Wide, page.Window, screen.width)
			}
			if page.Meter != held || page.MeterWide < 100 || page.Warns != "solid" || page.Scripts > 0 || len(page.Broken) > 0 {
				t.Errorf("%s: %+v", screen.name, page)
			}
			if *update && dialect == "2.4" && !screen.phone {
				if err := os.WriteFile("docs/page.png", b.picture(page), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
		if b.complaints != "" {
			t.Errorf("the browser complains: %s", b.complaints)
		}
	})
}

// holdAt logs in at an address and stays.
func holdAt(t *testing.T, address, user string) {
	t.Helper()
	conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(pidgeontest.Patience))
	fmt.Fprintf(conn, "a LOGIN %s pass\r\n", user)
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "a OK") {
			return
		}
	}
	t.Fatalf("%s does not get in", user)
}

// browser is asked over the pipes of the DevTools protocol.
type browser struct {
	*testing.T
	out        io.Writer
	in         *bufio.Reader
	page       string // the session of the protocol that is about the page
	asked      int
	complaints string
}

// browse starts a browser with an empty page, which runs no script.
func browse(t *testing.T) *browser {
	t.Helper()
	theirIn, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	in, theirOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("chromium-headless-shell", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-pipe",
		"--user-data-dir="+pidgeontest.ShortTempDir(t))
	cmd.ExtraFiles = []*os.File{theirIn, theirOut} // 3 and 4, as the browser expects
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirIn.Close()
	theirOut.Close()
	t.Cleanup(func() {
		out.Close() // which ends it
		_ = cmd.Wait()
		in.Close()
	})
	_ = in.SetReadDeadline(time.Now().Add(3 * pidgeontest.Patience))
	b := &browser{T: t, out: out, in: bufio.NewReader(in)}
	var target struct{ TargetID, SessionID string }
	b.do("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	b.do("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &target)
	b.page = target.SessionID
	b.do("Page.enable", nil, nil)
	b.do("Log.enable", nil, nil)
	b.do("Emulation.setScriptExecutionDisabled", map[string]any{"value": true}, nil)
	return b
}

// do asks for something, and reads the answer.
func (b *browser) do(method string, params map[string]any, answer any) {
	b.Helper()
	b.asked++
	question := map[string]any{"id": b.asked, "method": method, "params": params}
	if b.page != "" {
		question["sessionId"] = b.page
	}
	text, err := json.Marshal(question)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := b.out.Write(append(text, 0)); err != nil {
		b.Fatal(err)
	}
	said := b.await(func(m message) bool { return m.ID == b.asked })
	if said.Error != nil {
		b.Fatalf("%s: %s", method, said.Error)
	}
	if answer != nil {
		if err := json.Unmarshal(said.Result, answer); err != nil {
			b.Fatalf("%s: %v", method, err)
		}
	}
}

type message struct {
	ID                    int
	Method                string
	Result, Error, Params json.RawMessage
}

// await reads up to a message, and keeps what is complained of meanwhile.
func (b *browser) await(wanted func(message) bool) message {
	b.Helper()
	for {
		text, err := b.in.ReadBytes(0)
		if err != nil {
			b.Fatalf("the browser says no more: %v", err)
		}
		var m message
		if err := json.Unmarshal(text[:len(text)-1], &m); err != nil {
			b.Fatalf("the browser says %q: %v", text, err)
		}
		if m.Method == "Log.entryAdded" {
			b.complaints += string(m.Params) + "\n"
		}
		if wanted(m) {
			return m
		}
	}
}

// shown is what the browser has made of a page.
type shown struct {
	Text             string
	Window           int // how wide it is
	Wide, High       int // the page, with what has to be scrolled to
	Body             struct{ X, Width float64 }
	Meter, MeterWide int
	Warns            string   // the style of the line beside the heading
	Broken           []string // words that do not fit into a line
	Scripts          int
}

const look = `
const page = document.documentElement, meter = document.querySelector('meter');
const lines = (cell) => { const r = document.createRange(); r.selectNodeContents(cell); return r.getClientRects().length };
JSON.stringify({
	Text: document.body.innerText.replace(/\s+/g, ' '), Window: innerWidth, Wide: page.scrollWidth, High: page.scrollHeight, Body: document.body.getBoundingClientRect(),
	Meter: meter ? meter.value : 0, MeterWide: meter ? Math.round(meter.getBoundingClientRect().width) : 0,
	Warns: getComputedStyle(document.querySelector('h1.bad')).borderLeftStyle, Scripts: document.scripts.length,
	Broken: [...document.querySelectorAll('th, td')].filter((cell) => !/\s/.test(cell.innerText) && lines(cell) > 1).map((cell) => cell.innerText),
})`

func (b *browser) show(url string) (page shown) {
	b.Helper()
	b.do("Page.navigate", map[string]any{"url": url}, nil)
	b.await(func(m message) bool { return m.Method == "Page.loadEventFired" })
	var said struct {
		Result           struct{ Value string }
		ExceptionDetails json.RawMessage
	}
	b.do("Runtime.evaluate", map[string]any{"expression": "{" + look + "}"}, &said)
	if err := json.Unmarshal([]byte(said.Result.Value), &page); err != nil {
		b.Fatalf("%v: %s", err, said.ExceptionDetails)
	}
	return page
}

// picture is the whole page without its margins, as a PNG file.
func (b *browser) picture(page shown) []byte {
	b.Helper()
	var shot struct{ Data []byte }
	b.do("Page.captureScreenshot", map[string]any{
		"captureBeyondViewport": true,
		"clip":                  map[string]any{"x": page.Body.X, "y": 0, "width": page.Body.Width, "height": page.High, "scale": 1},
	}, &shot)
	return shot.Data
}
