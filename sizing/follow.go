package sizing

// Follow sizes again around what an override has changed of login and session
// services: who raises the number of logins means the number of sessions, so
// everything that depends on it is raised too. inForce are the limits read back
// from Dovecot. What the override sets itself stays as it was sized: it is not
// what counts.
func (s Sizes) Follow(inForce []Service, protocols []Protocol, machine Machine) Sizes {
	var sized, effective []pair
	for _, p := range protocols {
		names, ok := serviceNames(p.Name)
		if !ok {
			continue
		}
		login := s.Service(names.login)
		is := login.overridden(inForce)
		session := sessionService(names.session, is, p)
		served := s.Service(names.session).overriddenOr(inForce, session)
		effective = append(effective, pair{is, served, p.hibernates()})
		// Dovecot refuses more than the limit, and would blame us.
		login.ProcessMinAvail = min(login.ProcessMinAvail, is.ProcessLimit)
		session.ProcessMinAvail = min(session.ProcessMinAvail, served.ProcessLimit)
		if is != login {
			login.VSZLimitMiB = max(login.VSZLimitMiB, loginVSZ(is.ClientLimit))
		}
		sized = append(sized, pair{login: login, session: session})
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
