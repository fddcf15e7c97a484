package settings

import "slices"

// Choices are all values that a variable takes, if they can be counted.
func (v Variable) Choices() []string { return slices.Clone(v.choices) }
