package main

import "regexp"

var complaint = regexp.MustCompile(`(Warning|Error|Fatal|Panic): .*|level=(WARN|ERROR) .*`)

// number makes alike what differs by process or user alone.
var number = regexp.MustCompile(`[0-9]+`)

// complaints are what a server complains of, each once.
func complaints(logged string) []string {
	said := map[string]bool{}
	var all []string
	for _, line := range complaint.FindAllString(logged, -1) {
		if alike := number.ReplaceAllString(line, "0"); !said[alike] {
			said[alike] = true
			all = append(all, line)
		}
	}
	return all
}
