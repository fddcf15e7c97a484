package sizing

// Resize sizes again around what an override has changed of login and session
// services: who raises the number of logins means the number of sessions, so
// everything that depends on it is raised too. inForce are the limits read back
// from Dovecot. Limits that the override sets itself keep their rendered value:
// Dovecot uses the override's, which is included later.
func (s Sizes) Resize(inForce []Service, protocols []Protocol, machine Machine) Sizes {
	var sized []limits
	var effective []pair
	for _, p := range protocols {
		names, ok := serviceNames(p.Name)
		if !ok {
			continue
		}
		login := s.limits[names.login]
		is := login.service().overridden(inForce)
		session := sessionService(names.session, is, p)
		served := s.Service(names.session).overriddenOr(inForce, session.service())
		effective = append(effective, pair{is, served, p.hibernates()})
		if need := loginVSZ(is.ClientLimit); is != login.service() && need.Total > login.VSZLimitMiB.Total {
			login.VSZLimitMiB = need
		}
		// Dovecot refuses more than the limit, and would blame us.
		login.ProcessMinAvail = login.ProcessMinAvail.atMost(is.ProcessLimit, "processes that an override allows")
		session.ProcessMinAvail = session.ProcessMinAvail.atMost(served.ProcessLimit, "processes that an override allows")
		sized = append(sized, login, session)
	}
	return derive(sized, effective, machine)
}

// overridden returns the service with the limits in force.
func (s Service) overridden(inForce []Service) Service {
	for _, is := range inForce {
		if is.Name == s.Name {
			s.ProcessLimit, s.ClientLimit, s.Requests = is.ProcessLimit, is.ClientLimit, is.Requests
		}
	}
	return s
}

// overriddenOr returns otherwise if what is in force is what was sized before.
func (s Service) overriddenOr(inForce []Service, otherwise Service) Service {
	if is := s.overridden(inForce); is != s {
		return is
	}
	return otherwise
}
