package sizing

import "pidgeon/config"

// ForOperatorLimits are the sizes for a configuration with limits of its own: those that are
// too low are raised, others stay. own has the limits in its files, by the names of the
// services; a limit that is not written there is zero.
func (s Sizes) ForOperatorLimits(own map[string]Service, protocols []Protocol, machine Machine) Sizes {
	inForce := make([]Service, len(s.Services))
	for i, service := range s.Services {
		inForce[i], _ = service.withOwn(own[service.Name])
	}
	unasked := map[string]bool{}
	for _, p := range protocols {
		unasked[p.Name] = p.LimitedBy != ""
	}
	s = s.Resize(inForce, protocols, machine)
	var sized []Service
	for _, service := range s.Services {
		if _, line := service.withOwn(own[service.Name]); !unasked[config.ProtocolOfService(service.Name)] && line != (Service{Name: line.Name}) {
			sized = append(sized, line)
		}
	}
	s.Services = sized
	return s
}

// withOwn returns the limits of a service that will be in force, and those of them that have
// to be written.
func (s Service) withOwn(own Service) (inForce, written Service) {
	inForce, written = s, s
	enough := own.ClientLimit >= s.ClientLimit
	if s.ProcessLimit > 0 {
		enough = own.Capacity() >= s.Capacity()
	}
	if enough {
		inForce.ProcessLimit, inForce.ClientLimit = own.ProcessLimit, own.ClientLimit
		written.ProcessLimit, written.ClientLimit = 0, 0
	}
	if own.Requests != 0 {
		inForce.Requests, written.Requests = own.Requests, 0
	}
	if own.ProcessMinAvail > 0 {
		written.ProcessMinAvail = 0
		if written.ProcessLimit > 0 { // and may not be lower
			written.ProcessLimit = max(written.ProcessLimit, own.ProcessMinAvail)
			inForce.ProcessLimit = written.ProcessLimit
		}
	}
	if own.VSZLimitMiB >= s.VSZLimitMiB {
		written.VSZLimitMiB = 0
	}
	return inForce, written
}
