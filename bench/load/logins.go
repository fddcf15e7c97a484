package load

import (
	"slices"
	"sync"
	"syscall"
	"time"

	"pidgeon/tests/pidgeontest"
)

// users log in and out, atOnce of them at a time.
const (
	users  = 200
	atOnce = 8
)

// Prepare logs every user in once: the first time Dovecot makes the mailboxes.
func Prepare(port string) {
	pidgeontest.Each(users, atOnce, func(i int) { _, _ = loginAndOut(port, i) })
}

// Logins says what came of logging in and out.
type Logins struct {
	Answers
	Lasted time.Duration
	CPU    time.Duration // that the clients used
}

// LogInAndOut does so for a while, as fast as it can.
func LogInAndOut(port string, duration time.Duration) Logins {
	var answers tally
	begin, cpu := time.Now(), cpuTime()
	pidgeontest.Each(atOnce, atOnce, func(worker int) {
		for i := worker; time.Since(begin) < duration; i += atOnce {
			answers.add(loginAndOut(port, i%users))
		}
	})
	return Logins{answers.sorted(), time.Since(begin), cpuTime() - cpu}
}

// loginAndOut returns how long it took from connecting to the answer to the login.
func loginAndOut(port string, i int) (time.Duration, error) {
	begin := time.Now()
	s, err := open(port, i)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	took := time.Since(begin)
	_ = s.Command("LOGOUT")
	return took, nil
}

// cpuTime is what this process has used, all threads.
func cpuTime() time.Duration {
	var used syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// Answers are how long those took that came, in order, and how many did not.
type Answers struct {
	Took   []time.Duration
	Failed int
}

// Percentile is the time within which so many in a hundred came.
func (a Answers) Percentile(percent int) time.Duration {
	if len(a.Took) == 0 {
		return 0
	}
	return a.Took[(len(a.Took)-1)*percent/100]
}

// tally collects answers.
type tally struct {
	mu sync.Mutex
	Answers
}

func (t *tally) add(took time.Duration, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		t.Failed++
		return
	}
	t.Took = append(t.Took, took)
}

func (t *tally) sorted() Answers {
	slices.Sort(t.Took)
	return t.Answers
}
