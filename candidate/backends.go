package candidate

import (
	"context"
	"errors"
	"maps"
	"net"
	"slices"
	"time"

	"pidgeon/finding"
	"pidgeon/settings"
)

const (
	// BackendsMaxAge is how long the addresses of a name are taken for those that it has: DNS
	// tells nobody of a change.
	BackendsMaxAge = 10 * time.Second

	// forgetAfter is how long an address may be missing. Answers are told in parts, or lack
	// a container that starts again, and each change of them would move users.
	forgetAfter = 30 * time.Second

	fresh       = 5 * time.Second // a judgement reads twice and more
	dnsPatience = 3 * time.Second
)

// BackendLookup is what the name of BACKENDS has answered with.
type BackendLookup struct {
	Name      string               `json:"name"`
	Asked     time.Time            `json:"asked"`
	Addresses map[string]time.Time `json:"addresses"` // since when each is missing, if it is
	Problem   string               `json:"problem"`   // with the last answer
}

// LookUpBackends are settings with the addresses that the name of BACKENDS answers with, if it is
// one. What cannot be asked leaves those that were there before.
func LookUpBackends(s settings.Settings, before BackendLookup) (settings.Settings, BackendLookup, finding.List) {
	if s.BackendsName == "" || !s.Proxy() && !s.Backend() {
		return s, before, nil
	}
	now := time.Now()
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
		f := finding.Warn(finding.Environment, "", "BACKENDS names "+s.BackendsName+", which "+before.Problem+": the addresses of before stay")
		return s, before, finding.List{f}
	}
	return s, before, nil
}

// merge is what is known after another answer.
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

// lookUp asks DNS for the addresses of a name: of IPv4, or else of IPv6, for a host that has
// both is one backend. What is wrong is said in words that are the same the next time.
func lookUp(name string) (addresses []string, problem string) {
	ctx, cancel := context.WithTimeout(context.Background(), dnsPatience)
	defer cancel()
	for _, network := range []string{"ip4", "ip6"} {
		found, err := net.DefaultResolver.LookupNetIP(ctx, network, name)
		if wrong, ok := errors.AsType[*net.DNSError](err); ok && !wrong.IsNotFound {
			return nil, "no resolver answers for"
		}
		for _, address := range found {
			addresses = append(addresses, address.Unmap().WithZone("").String())
		}
		if len(addresses) > 0 {
			return addresses, ""
		}
	}
	return nil, "has no address"
}
