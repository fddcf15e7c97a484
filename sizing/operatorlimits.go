package sizing

import "pidgeon/config"

// ForOperatorLimits are the sizes for a configuration that has limits of its own. What holds as many
// as are needed stays as it is, and what does not is raised. own has what is written there,
// by the names of the services; zero is what is not.
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

// withOwn are the limits that are in force of a service beside those that its own
// configuration sets, and what is to be written for them.
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
