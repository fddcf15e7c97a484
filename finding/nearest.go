package finding

import (
	"unicode/utf8"

	"github.com/agnivade/levenshtein"
)

// Nearest are the known names that differ least from a name, by so many letters at most:
// one of them was probably meant.
func Nearest(name string, known []string, most int) (near []string) {
	length := utf8.RuneCountInString(name)
	for _, other := range known {
		// Comparing costs the product of both lengths, and a name may have megabytes.
		if longer := length - utf8.RuneCountInString(other); max(longer, -longer) > most {
			continue
		}
		switch letters := levenshtein.ComputeDistance(name, other); {
		case letters < most || letters == most && len(near) == 0:
			near, most = []string{other}, letters
		case letters == most:
			near = append(near, other)
		}
	}
	return near
}
