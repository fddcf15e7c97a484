package main

import (
	"regexp"
	"slices"
)

var complaint = regexp.MustCompile(`(Warning|Error|Fatal|Panic): .*|level=(WARN|ERROR) .*`)

// number makes alike what differs by process or user alone.
var number = regexp.MustCompile(`[0-9]+`)

// complaints are what a server complains of, each once.
func complaints(logged string) []string {
	said := map[string]bool{}
	return slices.DeleteFunc(complaint.FindAllString(logged, -1), func(line string) bool {
		alike := number.ReplaceAllString(line, "0")
		before := said[alike]
		said[alike] = true
		return before
	})
}
