package sizing

import "fmt"

// Derivation is a limit, and how it came about in steps that a person can check.
type Derivation struct {
	Total int
	Terms []Term
}

// Term is one step of a sum. The steps are taken in their order; a quotient is
// rounded up.
type Term struct {
	Step string // +, divided by, times, at least, at most
	N    int
	What string // N counts
}

func count(n int, what string) Derivation { return Derivation{n, []Term{{"+", n, what}}} }

// add leaves out what adds nothing.
func add(sums ...Derivation) (all Derivation) {
	for _, s := range sums {
		if s.Total != 0 {
			all.Total, all.Terms = all.Total+s.Total, append(all.Terms, s.Terms...)
		}
	}
	return all
}

func (s Derivation) dividedBy(n int, what string) Derivation {
	if s.Total%max(1, n) != 0 {
		what += ", rounded up"
	}
	return s.then("divided by", n, what, ceil(s.Total, n))
}

func (s Derivation) times(n int, what string) Derivation { return s.then("times", n, what, s.Total*n) }

func (s Derivation) atLeast(n int, what string) Derivation {
	return s.then("at least", n, what, max(s.Total, n))
}

func (s Derivation) atMost(n int, what string) Derivation {
	return s.then("at most", n, what, min(s.Total, n))
}

// then leaves out a step that changes nothing.
func (s Derivation) then(step string, n int, what string, total int) Derivation {
	if total == s.Total {
		return s
	}
	return Derivation{total, append(s.Terms[:len(s.Terms):len(s.Terms)], Term{step, n, what})}
}

// String is the sum in words: 512 = 112 processes of imap-login + 400 others.
func (s Derivation) String() string {
	if s.Total == Unlimited {
		return "unlimited: " + s.Terms[0].What
	}
	text, between := fmt.Sprint(s.Total, " ="), " "
	for i, t := range s.Terms {
		if t.Step != "+" {
			between = ", " // from here on the order counts
		}
		if i > 0 {
			text += between + t.Step
		}
		text += fmt.Sprint(" ", t.N, " ", t.What)
	}
	return text
}
