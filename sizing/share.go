package sizing

import "slices"

// maxShare is how many clients a session process serves at once at most. While it
// works for one, the others wait; beyond ten there is little left to save (measured
// with 1, 2, 5 and 10).
const maxShare = 10

// Share lets IMAP clients share session processes, as many as needed and no more,
// where memory is too short for a process each. have is in KiB; 0 is without limit.
func Share(protocols []Protocol, machine Machine, cost Cost, have int) []Protocol {
	shared := slices.Clone(protocols)
	for share := 1; share <= maxShare; share++ {
		for i, p := range shared {
			if p.mayShare() {
				shared[i].Share = share
			}
		}
		if have == 0 || NeedOf(shared, machine, cost).MemoryKiB <= have {
			break
		}
	}
	return shared
}

func (p Protocol) mayShare() bool { return p.Name == "imap" && p.mode() == Performance && p.Reuse }

// processes is how many the sessions of a protocol take.
func (p Protocol) processes() int {
	if p.mode() == Secure {
		return 2 * p.Sessions
	}
	return ceil(p.Sessions, max(1, p.Share))
}

// memory is what they take, in KiB.
func (p Protocol) memory(cost Cost) int {
	if p.mode() == Secure {
		return p.Sessions * cost.SecureKiB
	}
	share := max(1, p.Share)
	return p.Sessions * (cost.ClientKiB + (cost.PerformanceKiB-cost.ClientKiB)/share)
}
