package observe

import "fmt"

// What people should look at, as far as one snapshot shows it.

// Lints, by name.
const (
	lintLedger       = "ledger"
	lintNoPeer       = "no-peer"
	lintQueueFull    = "queue-full"
	lintSpoolFailing = "spool-failing"
)

const (
	// manyAttempts is how often it must have failed in a row to connect to an endpoint: less than that is how programs
	// start.
	manyAttempts = 3
	// maxWarnings is how many there are of one lint.
	maxWarnings = 20
)

func warn(s *Snapshot) []Warning {
	out := []Warning{}
	count := make(map[string]int)
	add := func(lint, subject, format string, args ...any) {
		if count[lint]++; count[lint] <= maxWarnings {
			out = append(out, Warning{lint, clean(subject, maxText), clean(fmt.Sprintf(format, args...), maxText)})
		}
	}
	for i := range s.Sockets {
		warnOfSocket(&s.Sockets[i], add)
	}
	for i := range s.Spools {
		if q := &s.Spools[i]; q.Failing != "" {
			add(lintSpoolFailing, q.Name, "it cannot be written: %s", q.Failing)
		}
	}
	return out
}

func warnOfSocket(s *SocketState, add func(lint, subject, format string, args ...any)) {
	if s.Unbalanced != "" {
		add(lintLedger, s.Name, "messages are not accounted for, which is a bug of Yodel's: %s", s.Unbalanced)
	}
	for _, e := range s.Endpoints {
		if !e.Bound && e.Up == 0 && e.Failing >= manyAttempts {
			add(lintNoPeer, s.Name+"→"+e.Endpoint, "no peer: %s, %d attempts", e.Error, e.Failing)
		}
	}
	for i := range s.Peers {
		if p := &s.Peers[i]; p.Full {
			add(lintQueueFull, s.Name+"→"+p.Address, "the queue for this %s is full; %d messages for it were dropped so far",
				p.Type, p.Ledger.Dropped["queue full"].Messages())
		}
	}
}
