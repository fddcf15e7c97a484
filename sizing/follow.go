package sizing

// Follow sizes again around login services that an override has changed: who
// raises the number of logins means the number of sessions, so everything that
// depends on it is raised too. inForce are the limits read back from Dovecot.
func (s Sizes) Follow(inForce []Service, protocols []Protocol, machine Machine) Sizes {
	var pairs []pair
	for _, p := range protocols {
		if names, ok := serviceNames(p.Name); ok {
			p := pairFor(names, s.Service(names.login).follow(inForce))
			p.session = s.Service(names.session).unlessSet(inForce, p.session)
			pairs = append(pairs, p)
		}
	}
	return derive(pairs, machine)
}

func (s Service) follow(inForce []Service) Service {
	for _, is := range inForce {
		if is.Name != s.Name || is.limits() == s.limits() {
			continue
		}
		s.ProcessLimit, s.ClientLimit, s.Requests = is.ProcessLimit, is.ClientLimit, is.Requests
		s.ProcessMinAvail = min(s.ProcessMinAvail, is.ProcessLimit)
		s.VSZLimitMiB = loginVSZ(is.ClientLimit)
	}
	return s
}

type limits struct{ processes, clients, requests int }

func (s Service) limits() limits {
	return limits{s.ProcessLimit, s.ClientLimit, s.Requests}
}

// unlessSet returns what an override says of a service, or otherwise.
func (s Service) unlessSet(inForce []Service, otherwise Service) Service {
	if set := s.follow(inForce); set.limits() != s.limits() {
		set.VSZLimitMiB = 0
		return set
	}
	return otherwise
}
