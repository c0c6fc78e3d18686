package main

import (
	"slices"
	"time"
)

// Evidence is all that is known of one life of one member, from its worker's reports and from what was done to it.
type evidence struct {
	key
	Role    string
	Killed  bool // its process was: what it reported last is all there is
	Failed  bool // its process ended by itself
	Settled bool // everything that was on its way had arrived when the scenario ended

	Began   time.Time // the end: when the command was given
	Ended   time.Time // and when it was over; zero if it never was
	EndErr  string
	ByClose bool

	Sent    map[int]*sent // by lane
	Conns   []*conn       // by number
	Ledger  *ledger       // the last one; nil unless the socket was closed
	Named   [2]uint64     // dropped and discarded by a ledger, as far as was reported
	Other   uint64        // handed over and not of this program, or not messages
	Answers uint64        // to strangers
	Asked   asked
}

// Sent is what is known of one stream.
type sent struct {
	Last    uint64 // all numbers up to it were tried
	Refused runs   // of these, Send returned an error
}

// A conn is one connection of a socket.
type conn struct {
	Peer   key // zero: not of this program
	Up     time.Time
	Down   bool
	DownAt time.Time
	Ending bool // it ended when the socket itself was ending
	Clean  bool // because of one side's end, not of a fault
	Silent bool // because the peer gave no sign of life
	Err    string
	Sent   map[int]uint64 // when it ended: the last number of each lane
	Got    map[stream]runs

	Assigned uint64 // messages for its peer, less those dropped; of one that lasted until nothing was sent any more
}

// take adds a report. What it adds to must be nobody else's.
func (e *evidence) take(r report) {
	switch r.Says {
	case saysSent:
		s := e.Sent[r.Stream.Lane]
		if s == nil {
			if e.Sent == nil {
				e.Sent = make(map[int]*sent)
			}
			s = new(sent)
			e.Sent[r.Stream.Lane] = s
		}
		s.Last = max(s.Last, r.Last)
		s.Refused = append(s.Refused, r.Runs...)
	case saysGot:
		c := e.conn(r.Conn)
		if c.Got == nil {
			c.Got = make(map[stream]runs)
		}
		c.Got[r.Stream] = append(c.Got[r.Stream], r.Runs...)
	case saysUp:
		c := e.conn(r.Conn)
		c.Peer, c.Up = r.Peer, r.At
	case saysDown:
		c := e.conn(r.Conn)
		c.Down, c.DownAt, c.Ending, c.Clean, c.Silent = true, r.At, r.Ending, r.Clean, r.Silent
		c.Err, c.Sent = r.Text, r.Sent
	case saysFor:
		e.conn(r.Conn).Assigned = r.Last
	case saysNamed:
		e.Named = [2]uint64{r.Last, r.Other}
	case saysLedger:
		e.Ledger, e.Other, e.Answers = r.Ledger, r.Other, r.Answers
		if r.Asked != nil {
			e.Asked = *r.Asked
		}
	}
}

func (e *evidence) conn(n int) *conn {
	for len(e.Conns) <= n {
		e.Conns = append(e.Conns, &conn{})
	}
	return e.Conns[n]
}

// accepted counts the messages for which Send returned nil.
func (e *evidence) accepted() uint64 {
	n := e.Answers
	for _, s := range e.Sent {
		n += s.Last - s.Refused.count()
	}
	return n
}

// dropped and discarded count what the last ledger names, or the last report before the process was killed.
func (e *evidence) dropped() uint64 {
	if e.Ledger == nil {
		return e.Named[0]
	}
	return total(e.Ledger.Dropped)
}

func (e *evidence) discarded() uint64 {
	if e.Ledger == nil {
		return e.Named[1]
	}
	return total(e.Ledger.Discarded)
}

// handed counts the messages that the application had from Recv.
func (e *evidence) handed() uint64 {
	n := e.Other
	for _, c := range e.Conns {
		for _, rs := range c.Got {
			n += rs.count()
		}
	}
	return n
}

// sorted returns the connections in the order they came up.
func (e *evidence) sorted() []*conn {
	return slices.SortedStableFunc(slices.Values(e.Conns), func(a, b *conn) int { return a.Up.Compare(b.Up) })
}

// with returns the connections to a peer, in the order they came up.
func (e *evidence) with(peer key) []*conn {
	return slices.DeleteFunc(e.sorted(), func(c *conn) bool { return c.Peer != peer })
}
