// Package table condenses what was measured in several rounds and prints it as
// Markdown, with ratios to one row of the same run.
package table

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// A Column is one thing that was measured.
type Column struct {
	Title  string
	Digits int  // after the point
	Ratio  bool // print the ratio to the first row too
}

// A Row holds the samples of each column, one a round.
type Row struct {
	Name    string
	Samples [][]float64 // by column
	Note    string      // instead of figures, where there are none
}

// Add takes the figures of one round.
func (r *Row) Add(figures ...float64) {
	if r.Samples == nil {
		r.Samples = make([][]float64, len(figures))
	}
	for i, figure := range figures {
		r.Samples[i] = append(r.Samples[i], figure)
	}
}

// Print writes medians, the range they come from, and how often the first row's
// median they are.
func Print(w io.Writer, columns []Column, rows []*Row) {
	lines := [][]string{header(columns)}
	for _, row := range rows {
		lines = append(lines, cells(columns, row, rows[0]))
	}
	width := make([]int, len(lines[0]))
	for _, line := range lines {
		for i, cell := range line {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	for i, line := range lines {
		printLine(w, line, width)
		if i == 0 {
			printRule(w, width)
		}
	}
}

func header(columns []Column) []string {
	line := []string{""}
	for _, column := range columns {
		line = append(line, column.Title)
		if column.Ratio {
			line = append(line, "ratio")
		}
	}
	return line
}

func cells(columns []Column, row, first *Row) []string {
	line := []string{row.Name}
	for i, column := range columns {
		value, ratio := "–", "–"
		if i < len(row.Samples) && len(row.Samples[i]) > 0 {
			value = figure(row.Samples[i], column.Digits)
			if of := Median(samples(first, i)); of != 0 {
				ratio = fmt.Sprintf("%.2f", Median(row.Samples[i])/of)
			}
		} else if i == 0 && row.Note != "" {
			value = row.Note
		}
		line = append(line, value)
		if column.Ratio {
			line = append(line, ratio)
		}
	}
	return line
}

func samples(row *Row, i int) []float64 {
	if i >= len(row.Samples) {
		return nil
	}
	return row.Samples[i]
}

// figure is "median (least–most)", or the figure alone where all are the same.
func figure(samples []float64, digits int) string {
	number := func(f float64) string { return fmt.Sprintf("%.*f", digits, f) }
	median, least, most := number(Median(samples)), number(slices.Min(samples)), number(slices.Max(samples))
	if least == most {
		return median
	}
	return fmt.Sprintf("%s (%s–%s)", median, least, most)
}

// Median is the middle one, or the mean of the two in the middle; 0 of none.
func Median(samples []float64) float64 {
	sorted := slices.Sorted(slices.Values(samples))
	middle := len(sorted) / 2
	switch {
	case len(sorted) == 0:
		return 0
	case len(sorted)%2 == 1:
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

func printLine(w io.Writer, line []string, width []int) {
	for i, cell := range line {
		padding := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
		if i == 0 {
			fmt.Fprint(w, "| ", cell, padding, " |")
		} else {
			fmt.Fprint(w, " ", padding, cell, " |")
		}
	}
	fmt.Fprintln(w)
}

func printRule(w io.Writer, width []int) {
	for i, n := range width {
		if i == 0 {
			fmt.Fprint(w, "| ", strings.Repeat("-", n), " |")
		} else {
			fmt.Fprint(w, " ", strings.Repeat("-", max(0, n-1)), ": |")
		}
	}
	fmt.Fprintln(w)
}
