package settings

import (
	"reflect"
	"slices"
	"strings"
	"sync"
)

// Variable documents one environment variable.
type Variable struct {
	Name    string
	Default string
	Doc     string
	Example string
	Secret  bool

	field    string
	choices  []string
	listener string // the protocol whose listener this port is
}

// Variables lists all of them in the order of Settings.
func Variables() []Variable { return slices.Clone(table()) }

var table = sync.OnceValue(func() []Variable {
	t := reflect.TypeFor[Settings]()
	var variables []Variable
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Tag.Get("env") == "-" {
			continue
		}
		v := Variable{
			Name:     f.Tag.Get("env"),
			Default:  f.Tag.Get("envDefault"),
			Doc:      f.Tag.Get("doc"),
			Example:  f.Tag.Get("example"),
			Secret:   f.Tag.Get("secret") != "",
			field:    f.Name,
			listener: f.Tag.Get("listener"),
		}
		if choices := f.Tag.Get("choice"); choices != "" {
			v.choices = strings.Split(choices, ",")
		}
		variables = append(variables, v)
	}
	return variables
})

func byField(field string) Variable {
	for _, v := range Variables() {
		if v.field == field {
			return v
		}
	}
	return Variable{Name: field}
}

// Choices are all values that a variable takes, if they can be counted.
func (v Variable) Choices() []string { return slices.Clone(v.choices) }
