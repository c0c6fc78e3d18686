package rpc

import "time"

// Stats is a snapshot of what a Service or a Client has done.
type Stats struct {
	// Methods has those of a service, and those that a client has called.
	Methods map[string]MethodStats `json:"methods"`
	// Running is how many handlers run, or how many calls of a client are out.
	Running int `json:"running"`
	// Queued is how many calls of a service wait for a handler, or how many of a client for a replica.
	Queued int `json:"queued"`
	// Limit is how many handlers may run at once at present; of a client 0.
	Limit int `json:"limit"`
	// Stray counts messages that were dropped: what is no call, reply or part of one, or is of one that is not known.
	Stray uint64 `json:"stray"`
}

// MethodStats counts the calls of one method.
type MethodStats struct {
	// Calls that have ended, however. Attempts of one call count once on the side of the caller, each at the services.
	Calls uint64 `json:"calls"`
	// Failed is how many of them ended with an error.
	Failed uint64 `json:"failed"`
	// Overloaded is how many of them were refused because there was too much to do.
	Overloaded uint64 `json:"overloaded"`
	// Canceled is how many of them were given up by the caller, or ended by their deadline.
	Canceled uint64 `json:"canceled"`
	// Late counts replies that came when the caller had given up. Only a client has them.
	Late uint64 `json:"late"`
	// Retried counts attempts after the first of a call. Only a client has them.
	Retried uint64 `json:"retried"`
	// Hedged counts attempts beside another that was under way. Only a client has them.
	Hedged uint64 `json:"hedged"`
	// Deduped counts calls that were answered from another of the same key. Only a service has them.
	Deduped uint64 `json:"deduped"`
	// Unsent counts replies that a caller's queue had no room for. Only a service has them.
	Unsent uint64 `json:"unsent"`
	// Busy is how long the calls took altogether.
	Busy time.Duration `json:"busy_ns"`
}

// counters has a MethodStats for each method. The lock of the client or service is held.
type counters map[string]*MethodStats

func (c counters) of(method string) *MethodStats {
	m := c[method]
	if m == nil {
		m = new(MethodStats)
		c[method] = m
	}
	return m
}

func (c counters) snapshot() map[string]MethodStats {
	all := make(map[string]MethodStats, len(c))
	for name, m := range c {
		all[name] = *m
	}
	return all
}
