package finding

import (
	"slices"

	"github.com/agnivade/levenshtein"
)

// Nearest are the known names that differ least from a name, by so many letters at most:
// one of them was probably meant.
func Nearest(name string, known []string, most int) []string {
	for letters := range most + 1 {
		near := slices.DeleteFunc(slices.Clone(known), func(other string) bool { return levenshtein.ComputeDistance(name, other) != letters })
		if len(near) > 0 {
			return near
		}
	}
	return nil
}
