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
	*Answers
	Lasted time.Duration
	CPU    time.Duration // that the clients used
}

// LogInAndOut does so for a while, as fast as it can.
func LogInAndOut(port string, duration time.Duration) Logins {
	answers := &Answers{}
	begin, cpu := time.Now(), cpuTime()
	pidgeontest.Each(atOnce, atOnce, func(worker int) {
		for i := worker; time.Since(begin) < duration; i += atOnce {
			answers.add(loginAndOut(port, i%users))
		}
	})
	return Logins{answers, time.Since(begin), cpuTime() - cpu}
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

// Answers are how long those took that came, and how many did not.
type Answers struct {
	mu     sync.Mutex
	Took   []time.Duration
	Failed int
}

// Percentile is the time within which so many in a hundred came.
func (a *Answers) Percentile(percent int) time.Duration {
	if len(a.Took) == 0 {
		return 0
	}
	slices.Sort(a.Took)
	return a.Took[(len(a.Took)-1)*percent/100]
}

func (a *Answers) add(took time.Duration, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil {
		a.Failed++
		return
	}
	a.Took = append(a.Took, took)
}
