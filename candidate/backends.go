package candidate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"time"

	"pidgeon/finding"
	"pidgeon/settings"
)

const (
	// BackendsMaxAge is how old the addresses of the backends may be, because DNS announces
	// no change.
	BackendsMaxAge = 10 * time.Second

	// forgetAfter is how long an address may be missing from the answers. An answer can be
	// incomplete, or lack a container that restarts, and each change would move users.
	forgetAfter = 30 * time.Second

	fresh       = 5 * time.Second // one lookup for all readings of a judgement
	dnsPatience = 3 * time.Second

	maxAddresses = 64 // in an answer, because each of them may be kept for forgetAfter
)

// BackendLookup is the last DNS answer for the name of BACKENDS.
type BackendLookup struct {
	Name      string               `json:"name"`
	Asked     time.Time            `json:"asked"`
	Addresses map[string]time.Time `json:"addresses"` // each with the time since when it is missing
	Problem   string               `json:"problem"`   // of the last answer
}

// LookUpBackends returns the settings with the addresses of the name of BACKENDS, if it is a
// name. If DNS does not answer, the addresses of before stay.
func LookUpBackends(s settings.Settings, before BackendLookup) (settings.Settings, BackendLookup, finding.List) {
	now := time.Now()
	switch {
	case !s.Proxy() && !s.Backend():
		return s, before, nil
	case s.BackendsName == "":
		before, warning := oneEach(s, before, now)
		return s, before, warning
	}
	if before.Name != s.BackendsName || now.Sub(before.Asked) > fresh {
		addresses, problem := lookUp(s.BackendsName)
		before = before.merge(s.BackendsName, addresses, problem, now)
	}
	s, err := s.WithBackends(slices.Collect(maps.Keys(before.Addresses)))
	switch {
	case err != nil:
		return s, before, finding.Of(err)
	case len(s.Backends) == 0:
		return s, before, finding.List{{
			Code: finding.Environment, Problem: "BACKENDS names " + s.BackendsName + ", which " + before.Problem,
			Hint: "it has to answer with the addresses of the backends, at least one of which has to be healthy",
		}}
	case before.Problem != "":
		return s, before, finding.List{finding.Warn(finding.Environment, "", "BACKENDS names "+s.BackendsName+", which "+before.Problem+": the addresses of before stay", "")}
	}
	return s, before, nil
}

// oneEach warns where the one name of BACKENDS has several addresses, each login going to any
// of them. It is asked once: nothing else depends on the answer.
func oneEach(s settings.Settings, before BackendLookup, now time.Time) (BackendLookup, finding.List) {
	if !s.Proxy() || len(s.Backends) != 1 || net.ParseIP(s.Backends[0]) != nil {
		return before, nil
	}
	name := s.Backends[0]
	if before.Name != name {
		addresses, problem := lookUp(name)
		before = BackendLookup{}.merge(name, addresses, problem, now)
	}
	if n := len(before.Addresses); n > 1 {
		problem := fmt.Sprintf("BACKENDS names %s, which has %d addresses: a login goes to any of them", name, n)
		return before, finding.List{finding.Warn(finding.Environment, "", problem, "write dns:"+name+", so that each of them has users of its own")}
	}
	return before, nil
}

// merge adds an answer to the addresses of before.
func (a BackendLookup) merge(name string, addresses []string, problem string, now time.Time) BackendLookup {
	next := BackendLookup{Name: name, Asked: now, Addresses: map[string]time.Time{}, Problem: problem}
	if a.Name == name {
		maps.Copy(next.Addresses, a.Addresses)
	}
	if problem != "" {
		return next
	}
	for address, since := range next.Addresses {
		switch {
		case since.IsZero():
			next.Addresses[address] = now
		case now.Sub(since) >= forgetAfter:
			delete(next.Addresses, address)
		}
	}
	for _, address := range addresses {
		next.Addresses[address] = time.Time{}
	}
	return next
}

// lookUp asks DNS for the IPv4 addresses of a name, or else for its IPv6 addresses, because
// a host with both is one backend. The same problem has the same words each time.
func lookUp(name string) (addresses []string, problem string) {
	ctx, cancel := context.WithTimeout(context.Background(), dnsPatience)
	defer cancel()
	for _, network := range []string{"ip4", "ip6"} {
		found, err := net.DefaultResolver.LookupNetIP(ctx, network, name)
		if wrong, ok := errors.AsType[*net.DNSError](err); ok && !wrong.IsNotFound {
			return nil, "no resolver answers for"
		}
		if len(found) > maxAddresses {
			return nil, fmt.Sprintf("has more than %d addresses", maxAddresses)
		}
		for _, address := range found {
			if !address.IsGlobalUnicast() && !address.IsLoopback() && !address.IsLinkLocalUnicast() {
				return nil, "has an address that no host can have"
			}
			addresses = append(addresses, address.Unmap().WithZone("").String())
		}
		if len(addresses) > 0 {
			return addresses, ""
		}
	}
	return nil, "has no address"
}
