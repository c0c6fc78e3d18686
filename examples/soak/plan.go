package main

import (
	"slices"
	"time"
)

// A plan is one scenario, whole: who takes part, what is sent how, and what goes wrong when. It follows from a seed and
// a number and from nothing else (make.go), so that either can be run again.
type plan struct {
	Seed      uint64        `json:"seed"`
	Number    int           `json:"number"`
	Pattern   string        `json:"pattern"`   // one of patterns
	Transport string        `json:"transport"` // tcp, ipc or inproc
	For       time.Duration `json:"for"`       // how long messages are sent
	Early     bool          `json:"early"`     // connect before anybody has bound
	Settle    bool          `json:"settle"`    // let everything arrive before anybody ends: where messages go both ways
	Members   []member      `json:"members"`
	Flows     []flow        `json:"flows"`
	Steps     []step        `json:"steps"` // by time
	Mix       *mixPlan      `json:"mix,omitempty"`
}

// A member is one socket.
type member struct {
	ID      int      `json:"id"` // from 1
	Role    string   `json:"role"`
	Process int      `json:"process"`
	Binds   bool     `json:"binds"`
	To      []int    `json:"to,omitempty"` // members it connects to
	Relay   bool     `json:"relay"`        // those that connect to it come through a relay
	Topics  []string `json:"topics,omitempty"`
	Peers   []int    `json:"peers,omitempty"` // members it addresses messages to

	Rate    int           `json:"rate"`  // messages a second; 0: as many as go
	Size    [2]int        `json:"size"`  // of a message, bytes: from, to
	Delay   time.Duration `json:"delay"` // the work on each message received
	Options settings      `json:"options"`
	Close   bool          `json:"close"`             // ends by Close, not by Shutdown
	Source  bool          `json:"source"`            // it sends of itself
	Acks    bool          `json:"acks,omitempty"`    // it answers each message with one
	Strange bool          `json:"strange,omitempty"` // it may be sent what is of nobody in the plan
	Backend int           `json:"backend,omitempty"` // the other socket of the proxy that this one is the frontend of
	Proxied bool          `json:"proxied,omitempty"` // this one is a backend, whose frontend is the member before it
}

// Settings are a socket's options; zero values are Yodel's defaults.
type settings struct {
	HWM       int           `json:"hwm,omitempty"`
	Heartbeat time.Duration `json:"heartbeat,omitempty"` // the interval; the timeout is three times as long
	Buffers   int           `json:"buffers,omitempty"`   // of the kernel, bytes
	Overflow  string        `json:"overflow,omitempty"`  // one of overflows
	Retry     int           `json:"retry,omitempty"`
	Least     bool          `json:"least,omitempty"`
}

// How a flow's messages go, and so what is promised.
const (
	spread = "spread" // each message to one of the receivers
	fan    = "fan"    // each message to every receiver
	direct = "direct" // each message to the member that its lane says
)

// A flow is what the sockets From send to those To.
type flow struct {
	Kind string `json:"kind"`
	From []int  `json:"from"`
	To   []int  `json:"to"`
	Via  []int  `json:"via,omitempty"` // the sockets of proxies in between
	// Again: a message may be received twice (requests with a retry).
	Again bool `json:"again,omitempty"`
	// Loose: the receivers' ledgers have messages that are of nobody in the plan, or some of the flow's are theirs.
	Loose bool `json:"loose,omitempty"`
}

// What a step does to its member.
const (
	stepKill    = "kill"    // SIGKILL to its process, which is started anew
	stepStop    = "stop"    // SIGSTOP to its process, then SIGCONT
	stepPause   = "pause"   // it receives nothing for a while, so that queues fill
	stepCut     = "cut"     // the relay resets all connections to it
	stepStall   = "stall"   // the relay forwards nothing on the connections to it, and closes nothing: half-open
	stepMove    = "move"    // it unbinds and binds to another address
	stepRejoin  = "rejoin"  // it disconnects and connects again
	stepEnd     = "end"     // it ends cleanly while others go on
	stepFlap    = "flap"    // it subscribes and cancels quickly
	stepFlood   = "flood"   // strangers send what How says to it
	stepReplace = "replace" // the socket is closed and made anew in its process
)

// A step is one thing that goes wrong, or just happens.
type step struct {
	At     time.Duration `json:"at"`
	Do     string        `json:"do"`
	Member int           `json:"member"`
	For    time.Duration `json:"for,omitempty"`
	How    string        `json:"how,omitempty"`
}

// member returns a member by its ID.
func (p *plan) member(id int) *member { return &p.Members[id-1] }

// processes is how many processes the plan needs.
func (p *plan) processes() (n int) {
	if p.Mix != nil {
		return 1
	}
	for _, m := range p.Members {
		n = max(n, m.Process+1)
	}
	return n
}

// starters are the members of a process that are opened when it starts.
func (p *plan) starters(process int) (ids []int) {
	for _, m := range p.Members {
		if m.Process == process {
			ids = append(ids, m.ID)
		}
	}
	return ids
}

// strangers: some take part of whom nobody knows what they read.
func (p *plan) strangers() bool {
	return slices.ContainsFunc(p.Flows, func(f flow) bool { return f.Loose })
}

// disturbed: a step ends connections, or looks to somebody as if they had ended.
func (p *plan) disturbed() bool {
	return slices.ContainsFunc(p.Steps, func(st step) bool {
		switch st.Do {
		case stepPause, stepFlap, stepEnd, stepFlood:
			return false
		case stepStop:
			return slices.ContainsFunc(p.Members, func(m member) bool { return st.For > m.silence()/2 })
		}
		return true
	})
}

// silence is how long the member hears nothing of a peer before it gives it up.
func (m *member) silence() time.Duration {
	if m.Options.Heartbeat > 0 {
		return 3 * m.Options.Heartbeat
	}
	return 15 * time.Second // Yodel's default
}
