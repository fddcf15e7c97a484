package main

import (
	"fmt"
	"os"

	"pidgeon/bench/table"
)

// An entry is a row of a table, and how one round of it is measured.
type entry struct {
	row     *table.Row
	measure func() ([]float64, error)
}

// interleave measures A B C A B C, so that whatever else this machine does in
// the meantime falls on all of them alike. What cannot be measured is said once
// and left out of the further rounds.
func interleave(rounds int, entries []entry) []*table.Row {
	var rows []*table.Row
	for _, e := range entries {
		rows = append(rows, e.row)
	}
	for round := range rounds {
		for _, e := range entries {
			if e.row.Note != "" {
				continue
			}
			figures, err := e.measure()
			if err != nil {
				fmt.Fprintf(os.Stderr, "compare: %s, round %d: %v\n", e.row.Name, round+1, err)
				e.row.Note = "failed"
				continue
			}
			e.row.Add(figures...)
		}
	}
	return rows
}
