package mount

import (
	"errors"
	"fmt"
	"path/filepath"

	"pidgeon/config"
)

// harmless is a reason to leave an entry out without refusing the rest.
type harmless string

func (h harmless) Error() string { return string(h) }

// note files err under the ignored entries or under the faults. Leaving out an
// override the operator wrote changes the server, so everything but a harmless
// reason is a fault.
func (r *reading) note(name string, err error) {
	var reason harmless
	switch {
	case err == nil:
	case errors.As(err, &reason):
		r.ignore(name, string(reason))
	default:
		r.faults = append(r.faults, fmt.Errorf("reading override %q: %w", r.path(name), err))
	}
}

func (r *reading) ignore(name, reason string) {
	r.tree.Ignored = append(r.tree.Ignored, Ignored{Path: r.path(name), Reason: reason})
}

func (r *reading) path(name string) string { return filepath.Join(r.dir, name) }

func (r *reading) over() error {
	switch {
	case r.files > maxFiles:
		return fmt.Errorf("more than %d files, mount only what belongs to the configuration", maxFiles)
	case r.bytes > maxTotal:
		return fmt.Errorf("the overrides are larger than %d bytes together, mount only what belongs to the configuration", maxTotal)
	}
	return nil
}

// twice finds x.conf beside x.conf.tmpl in a sorted list.
func twice(files config.Files) []error {
	var faults []error
	for i := 1; i < len(files); i++ {
		a, b := files[i-1], files[i]
		if confName(a) == confName(b) {
			faults = append(faults, fmt.Errorf(
				"reading overrides %q and %q: both become %q, remove or rename one", a.Origin, b.Origin, confName(a)))
		}
	}
	return faults
}
