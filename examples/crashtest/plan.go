package main

import (
	"cmp"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"time"
)

// A scenario says what takes part, and what may be expected of it.
type scenario struct {
	Name      string
	Spool     bool // the sender has one
	Grade     string
	Receivers int
	Kills     bool // processes are killed
	Full      bool // the disk runs full
	Doubles   bool // a message that is flagged as redelivered may have come before
	AnyOrder  bool // messages may overtake each other: who is killed comes back as somebody else
	Publishes bool // the sender is a PUB, and each receiver a SUB with a name and topics of its own
	Asks      bool // the sender is a REQ for each of its lanes, and the receiver a REP
}

// The grades of a receiver.
const (
	plain = "plain" // what Recv returns counts as taken
	byAck = "ack"   // what was acknowledged counts as taken
	inbox = "inbox" // what is in its inbox counts as taken, for the sender
	kept  = "kept"  // likewise, and nobody receives from it before the end
	noted = "noted" // what was acknowledged is noted in a spool, and counts as taken
	taken = "taken" // what is in the journal counts as taken
	reply = "reply" // it answers, and keeps its answers
)

// A request costs more than a message, and one lane has one at a time: of these there are less.
const (
	fewer       = 20 // so many times
	askingLanes = 4  // at most
)

var scenarios = []scenario{
	{Name: "links", Grade: plain, Receivers: 1},
	{Name: "memory", Grade: byAck, Receivers: 1, Spool: true, Kills: true, Doubles: true, AnyOrder: true},
	{Name: "inbox", Grade: inbox, Receivers: 1, Spool: true, Kills: true, Doubles: true},
	{Name: "kept", Grade: kept, Receivers: 1, Spool: true, Kills: true},
	{Name: "taken", Grade: taken, Receivers: 1, Spool: true, Kills: true},
	{Name: "noted", Grade: noted, Receivers: 1, Spool: true, Kills: true, Doubles: true},
	{Name: "shared", Grade: byAck, Receivers: 3, Spool: true, Kills: true, Doubles: true, AnyOrder: true},
	{Name: "durable", Grade: taken, Receivers: 1, Spool: true, Kills: true, Publishes: true},
	{Name: "audience", Grade: byAck, Receivers: 3, Spool: true, Kills: true, Publishes: true, Doubles: true},
	{Name: "requests", Grade: reply, Receivers: 1, Spool: true, Kills: true, Asks: true, Doubles: true, AnyOrder: true},
	{Name: "full", Grade: inbox, Receivers: 1, Spool: true, Kills: true, Full: true, Doubles: true},
}

func names() (out []string) {
	for _, s := range scenarios {
		out = append(out, s.Name)
	}
	return out
}

// A plan is a scenario with all that is to be done. It follows from the seed.
type plan struct {
	Scenario string
	scenario
	Seed         uint64
	Messages     uint64
	Lanes        int
	SenderBinds  bool
	Kills, Stops int // of either side
	Cuts, Fills  int
	Events       []event
}

// An event is one thing to be done.
type event struct {
	At    uint64        // once so many messages have been accepted and received, both counted
	Wait  time.Duration // and so much later
	Do    string
	Who   int           `json:",omitempty"` // sender, or a receiver
	For   time.Duration `json:",omitempty"` // how long a process is stopped, or not there after it was killed
	Again bool          `json:",omitempty"` // kill it once more, For after it was started
	Cut   *cut          `json:",omitempty"`
}

// sender is Who for the sender; the receivers are 0, 1, ….
const sender = -1

// What is done.
const (
	doKill = "kill"
	doStop = "stop"
	doCut  = "cut"
	doFill = "fill" // the receiver is not there until the sender's disk is full
)

// A cut ends a connection when so many more bytes have been forwarded in one direction.
type cut struct {
	Back  bool  // from the receiver to the sender
	Bytes int64 // from now on, or from the beginning
	Fresh bool  // it is the next connection, which the present one makes way for at once
	Reset bool  // by a reset, which may take along what was forwarded before; else by a close
}

// makePlan makes the plan of a scenario.
func makePlan(s scenario, seed uint64, o sizes) *plan {
	name := fnv.New64a()
	_, _ = name.Write([]byte(s.Name)) // a hash takes all
	r := rand.New(rand.NewPCG(seed, name.Sum64()))
	p := &plan{
		Scenario: s.Name, scenario: s, Seed: seed, Messages: o.messages, Lanes: o.lanes,
		SenderBinds: s.Receivers > 1 || r.IntN(2) == 0 && !s.Asks, Stops: o.stops, Cuts: o.cuts,
	}
	if s.Kills {
		p.Kills = o.kills
	}
	if s.Asks {
		p.Messages, p.Lanes = max(1, p.Messages/fewer), min(p.Lanes, askingLanes)
	}
	if s.Full {
		p.Fills = max(1, o.kills/20)
	}
	// Twice the messages is the end; the last of it is left for what an event delays.
	add := func(e event) {
		e.At, e.Wait = r.Uint64N(p.Messages*19/10+1), upTo(r, 3*time.Millisecond)
		p.Events = append(p.Events, e)
	}
	for range p.Kills {
		for _, who := range []int{sender, r.IntN(s.Receivers)} {
			e := event{Do: doKill, Who: who, Again: r.IntN(6) == 0, For: upTo(r, 40*time.Millisecond)}
			if r.IntN(20) == 0 && !e.Again {
				e.For = upTo(r, time.Second)
			}
			add(e)
		}
	}
	for range p.Stops {
		for _, who := range []int{sender, r.IntN(s.Receivers)} {
			add(event{Do: doStop, Who: who, For: 50*time.Millisecond + upTo(r, 400*time.Millisecond)})
		}
	}
	for range p.Cuts {
		add(event{Do: doCut, Who: r.IntN(s.Receivers), Cut: makeCut(r, s.Asks)})
	}
	for range p.Fills {
		// While there is enough to come to fill the disk with.
		p.Events = append(p.Events, event{Do: doFill, Again: r.IntN(2) == 0, At: r.Uint64N(p.Messages/2 + 1)})
	}
	slices.SortStableFunc(p.Events, func(a, b event) int { return cmp.Compare(a.At, b.At) })
	return p
}

// makeCut draws a cut: in the midst of what is sent, among the acknowledgements, or as a connection begins. Where less
// is sent it comes earlier, and among replies as well.
func makeCut(r *rand.Rand, early bool) *cut {
	c := &cut{Back: r.IntN(3) == 0, Reset: r.IntN(2) == 0, Fresh: r.IntN(4) == 0}
	switch {
	case c.Fresh && c.Back: // as much as a receiver says in its handshake, and a little more
		c.Bytes = r.Int64N(220)
	case c.Fresh:
		c.Bytes = r.Int64N(500)
	case early:
		c.Bytes = r.Int64N(1 << (6 + r.IntN(6)))
	case c.Back:
		c.Bytes = r.Int64N(15)
	default:
		c.Bytes = r.Int64N(1 << (6 + r.IntN(10)))
	}
	return c
}

// wants: a receiver gets what is sent on a lane. Of several subscribers the first gets all, each next one less.
func (s *scenario) wants(who int, lane uint16) bool { return !s.Publishes || lane%(1<<who) == 0 }

func upTo(r *rand.Rand, d time.Duration) time.Duration { return time.Duration(r.Int64N(int64(d))) }
