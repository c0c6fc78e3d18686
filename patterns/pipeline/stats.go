package pipeline

import "time"

// Stats say how a [Pusher] is. What is counted is so since it was made.
type Stats struct {
	Accepted    uint64 // jobs
	Done        uint64
	Rejected    uint64
	Expired     uint64
	TooOften    uint64
	Canceled    uint64
	Redelivered uint64 // attempts that came to nothing
	Late        uint64 // words of workers on jobs that were not theirs any more
	Unknown     uint64 // messages that could not be understood
	Refused     uint64 // connections of workers that broke the rules, and of peers of another pattern

	Waiting int // for a worker, or behind another job of their key
	Held    int // by workers
	Delayed int
	Bytes   int64         // of bodies, of all that is pending
	Workers int           // connected, that have asked for jobs
	Oldest  time.Duration // how long the oldest job has been pending, 0 if none is
}

type counters struct {
	accepted, done, rejected, expired, tooOften, canceled, redelivered, late, unknown, refused uint64
}

// Stats returns how the pusher is.
func (p *Pusher[T]) Stats() Stats {
	p.p.mu.Lock()
	defer p.p.mu.Unlock()
	c, m := p.p.stats, p.p.m.Stats()
	s := Stats{
		Accepted: c.accepted, Done: c.done, Rejected: c.rejected, Expired: c.expired, TooOften: c.tooOften,
		Canceled: c.canceled, Redelivered: c.redelivered, Late: c.late, Unknown: c.unknown, Refused: c.refused,
		Waiting: m.Waiting, Held: m.Held, Delayed: m.Delayed, Bytes: m.Bytes, Workers: m.Workers,
	}
	if j := p.p.m.Oldest(); j != nil {
		s.Oldest = time.Since(j.Value.pushed)
	}
	return s
}

// WorkerStats say how a [Worker] is. What is counted is so since it was made.
type WorkerStats struct {
	Received    uint64 // jobs
	Acked       uint64
	Nacked      uint64
	Rejected    uint64
	Revoked     uint64 // jobs that went to another worker
	Undecodable uint64 // jobs that were rejected for that
	Unknown     uint64 // messages that could not be understood
	Refused     uint64 // connections of peers of another pattern

	Stored int // jobs that nobody has begun
	Held   int // jobs that were begun and are not settled
}
