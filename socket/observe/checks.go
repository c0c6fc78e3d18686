package observe

import (
	"fmt"
	"slices"

	"github.com/yodel-mq/yodel/socket"
)

// A readiness is one check of Ready.
type readiness struct {
	name  string
	check func() error
}

// Ready adds a check that has to return nil for the process to be ready, as /readyz tells. The name says what is
// checked, such as "orders has a peer". It is called by whoever reads a snapshot or asks /readyz, and should not wait.
func (r *Registry) Ready(name string, check func() error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.checks = append(r.checks, readiness{clean(name, maxName), check})
}

// Ending says that the process is about to end: from now on it is not ready, so that whoever asks /readyz sends it
// nothing more. Call it before the first Shutdown.
func (r *Registry) Ending() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ending = true
}

// results asks all checks.
func (v *view) results() []CheckState {
	out := make([]CheckState, 0, len(v.checks)+1)
	if v.ending {
		out = append(out, CheckState{Name: "running", Why: "the process is about to end"})
	}
	for _, c := range v.checks {
		s := CheckState{Name: c.name, OK: true}
		if err := c.check(); err != nil {
			s.OK, s.Why = false, clean(err.Error(), maxText)
		}
		out = append(out, s)
	}
	return out
}

func isReady(checks []CheckState) bool {
	return !slices.ContainsFunc(checks, func(c CheckState) bool { return !c.OK })
}

// Peers is a check for [Registry.Ready]: the socket has at least n peers. If it has not the error says why, as far as
// it is known: "0 of 1 peers: tcp://127.0.0.1:5900: connection refused, 7 attempts".
func Peers(s Source, n int) func() error {
	return func() error {
		st := s.Stats()
		if len(st.Peers) >= n {
			return nil
		}
		return fmt.Errorf("%d of %d peers: %s", len(st.Peers), n, lacking(st.Endpoints))
	}
}

// lacking says why endpoints have no peer, of the first that has failed.
func lacking(endpoints []socket.EndpointStats) string {
	if len(endpoints) == 0 {
		return "the socket is neither bound nor connected"
	}
	first := endpoints[0]
	for _, ep := range endpoints {
		if ep.Up == 0 && ep.LastErr != nil {
			first = ep
			break
		}
	}
	why := explain(first.LastErr, false)
	switch n := first.FailedInARow; {
	case why == "" || first.Up > 0:
		first.LastFrom = "" // it may be an identity
		return first.String()
	case n == 0:
		return fmt.Sprintf("%s: %s", first.Endpoint, why)
	case n == 1:
		return fmt.Sprintf("%s: %s, 1 attempt", first.Endpoint, why)
	default:
		return fmt.Sprintf("%s: %s, %d attempts", first.Endpoint, why, n)
	}
}
