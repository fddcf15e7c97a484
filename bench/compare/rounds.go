package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// row is one line of a table. measure returns the end of a line of Go's benchmark format:
// numbers with their units.
type row struct {
	name    string // without spaces and slashes, which mean something in that format
	measure func(*bench) (figures string, err error)
}

// interleave measures A B C A B C, so that whatever else this machine does in
// the meantime falls on all of them alike. What cannot be measured is said once
// and left out of the further rounds.
func (b *bench) interleave(benchmark string, rows []row) error {
	if b.before != "" {
		for _, r := range rows {
			if strings.HasPrefix(r.name, "pidgeon") {
				rows = append(rows, row{"before-" + r.name, func(*bench) (string, error) { return r.measure(b.ofBefore()) }})
			}
		}
	}
	if b.only != "" {
		names := strings.Split(b.only, ",")
		rows = slices.DeleteFunc(rows, func(r row) bool { return !slices.Contains(names, r.name) })
	}
	for round := range b.rounds {
		rows = slices.DeleteFunc(rows, func(r row) bool {
			figures, err := r.measure(b)
			if err != nil {
				fmt.Fprintf(os.Stderr, "compare: %s, round %d: %v\n", r.name, round+1, err)
				return true
			}
			printLine(benchmark, r.name, figures)
			return false
		})
	}
	return nil
}

// ofBefore measures the program of -before.
func (b *bench) ofBefore() *bench {
	other := *b
	other.program = b.before
	return &other
}

// rowsOf are rows that one function measures.
func rowsOf[T fmt.Stringer](all []T, measure func(*bench, T) (string, error)) (rows []row) {
	for _, one := range all {
		rows = append(rows, row{one.String(), func(b *bench) (string, error) { return measure(b, one) }})
	}
	return rows
}

func printLine(benchmark, row, figures string) {
	fmt.Printf("Benchmark%s/row=%s 1 %s\n", benchmark, row, figures)
}
