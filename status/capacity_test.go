package status

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server stands in for Dovecot: each login logs a line, unless it is silent.
type server struct {
	limit  int
	silent bool

	used, lines, wakeAt atomic.Int64
	busy                chan struct{}

	mu    sync.Mutex
	looks int
	told  []string
}

// seen is how often it was looked at, and what was told, since last asked.
func (s *server) seen() (looks int, told []string) {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	looks, told, s.looks, s.told = s.looks, s.told, 0, nil
	return looks, told
}

func (s *server) LinesLogged() int64            { return s.lines.Load() }
func (s *server) LinesReached() <-chan struct{} { return s.busy }

func (s *server) AlertAt(lines int64) {
	s.wakeAt.Store(lines)
	s.log(0)
}

func (s *server) log(n int64) {
	lines := s.lines.Add(n)
	if at := s.wakeAt.Load(); at != 0 && lines >= at {
		s.wakeAt.Store(0)
		select {
		case s.busy <- struct{}{}:
		default:
		}
	}
}

// logIn lets n users in, a pause apart.
func (s *server) logIn(n int, pause time.Duration) {
	for range n {
		s.used.Add(1)
		if !s.silent {
			s.log(1)
		}
		time.Sleep(pause)
	}
}

func (s *server) look(context.Context) []gauge {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.looks++
	return []gauge{{protocol: "imap", used: int(s.used.Load()), limit: s.limit}}
}

func (s *server) say(g gauge, reached int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told = append(s.told, fmt.Sprintf("%d%% at %d", levels[reached-1], g.used))
}

// watched runs what happens to a server while it is watched.
func watched(t *testing.T, s *server, happens func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s.busy = make(chan struct{}, 1)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			watch(ctx, s, s.look, s.say)
		}()
		time.Sleep(1500 * time.Millisecond) // not when it looks
		happens(t)
		cancel()
		<-done
	})
}

func TestWatch(t *testing.T) {
	for _, tt := range []struct {
		name   string
		server *server
		logins int
		pause  time.Duration
		want   []string
	}{
		{"nobody", &server{limit: 1000}, 0, 0, nil},
		{"a few", &server{limit: 1000}, 799, 10 * time.Millisecond, nil},
		{"slowly", &server{limit: 1000}, 1000, time.Second, []string{"80% at 800", "95% at 950"}},
		{"100 a second", &server{limit: 1000}, 1000, 10 * time.Millisecond, []string{"80% at 800", "95% at 950"}},
		{"slowly, without a word", &server{limit: 1000, silent: true}, 1000, time.Second, []string{"80% at 809", "95% at 959"}},
		{"ten", &server{limit: 10}, 10, time.Second, []string{"80% at 8", "95% at 10"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			watched(t, tt.server, func(t *testing.T) {
				tt.server.logIn(tt.logins, tt.pause)
				if _, told := tt.server.seen(); !slices.Equal(told, tt.want) {
					t.Errorf("told %q, want %q", told, tt.want)
				}
			})
		})
	}
}

// A herd: all come back at once, as fast as Dovecot lets them in.
func TestWatchHerd(t *testing.T) {
	s := &server{limit: 1000}
	watched(t, s, func(t *testing.T) {
		s.logIn(1000, time.Millisecond)
		if _, told := s.seen(); !slices.Equal(told, []string{"80% at 800"}) {
			t.Errorf("told %q while they came", told)
		}
		time.Sleep(spacing)
		if _, told := s.seen(); !slices.Equal(told, []string{"95% at 1000"}) {
			t.Errorf("told %q at last", told)
		}
	})
}

// Idle, it looks once in a minute; nearer to the limit, six times.
func TestWatchAtRest(t *testing.T) {
	for used, want := range map[int]int{0: 60, 499: 60, 500: 360, 1000: 360} {
		s := &server{limit: 1000}
		s.used.Store(int64(used))
		watched(t, s, func(t *testing.T) {
			s.seen()
			time.Sleep(time.Hour)
			if looks, _ := s.seen(); looks != want {
				t.Errorf("%d of 1000: looked %d times in an hour, want %d", used, looks, want)
			}
		})
	}
}

// However much is logged just below a level, the looks are bounded.
func TestWatchIsNotDrivenByTheLog(t *testing.T) {
	s := &server{limit: 1000}
	s.used.Store(949)
	watched(t, s, func(t *testing.T) {
		s.seen()
		for range 10_000 {
			s.log(1)
			time.Sleep(time.Millisecond)
		}
		most := int(10*time.Second/spacing) + 1
		if looks, _ := s.seen(); looks < 2 || looks > most {
			t.Errorf("looked %d times in 10 s, want at most %d", looks, most)
		}
	})
}

// What cannot be counted is looked at again, and no alarm.
func TestWatchUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{busy: make(chan struct{}, 1)}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour-time.Second)
		defer cancel()
		looks := 0
		watch(ctx, s, func(context.Context) []gauge {
			looks++
			return nil
		}, s.say)
		if _, told := s.seen(); looks != 60 || len(told) > 0 {
			t.Errorf("looked %d times in an hour, told %q", looks, told)
		}
	})
}
