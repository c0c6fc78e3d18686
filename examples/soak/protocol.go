package main

import (
	"maps"
	"time"

	"github.com/yodel-mq/yodel/socket"
)

// The controller and its workers speak JSON, a line each way at a time: commands on a worker's standard input, reports
// on its standard output. Reports that answer nothing come as things happen, at least ten times a second while messages
// flow, so that little is unknown of a worker that was killed.

// What a command asks for.
const (
	cmdOpen    = "open"    // make the socket of Member
	cmdBind    = "bind"    // to Endpoint; the answer has the actual one
	cmdUnbind  = "unbind"  // from Endpoint
	cmdConnect = "connect" // to Endpoint
	cmdLeave   = "leave"   // Endpoint
	cmdStart   = "start"   // to send and to receive
	cmdQuiet   = "quiet"   // to stop sending; answered once it has
	cmdPause   = "pause"   // to receive nothing For a while
	cmdFlap    = "flap"    // to subscribe and cancel For a while
	cmdState   = "state"   // how far it is
	cmdEnd     = "end"     // to shut down, For at most, or to close; answered once that is over
	cmdStack   = "stack"   // what all goroutines do, instead of an endpoint
	cmdMix     = "mix"     // random operations, see mix.go
)

// A command is one line to a worker.
type command struct {
	ID       int           `json:"id"`
	Do       string        `json:"do"`
	Key      key           `json:"key"`
	Scenario int           `json:"scenario,omitempty"`
	Seed     uint64        `json:"seed,omitempty"`
	Member   *member       `json:"member,omitempty"`
	Endpoint string        `json:"endpoint,omitempty"`
	For      time.Duration `json:"for,omitempty"`
	Close    bool          `json:"close,omitempty"`
	Mix      *mixPlan      `json:"mix,omitempty"`
}

// What a report tells.
const (
	saysAnswer = "answer" // to command ID; Text is the error
	saysSent   = "sent"   // the last number of a stream, and which of them Send refused
	saysGot    = "got"    // the numbers that came on a connection
	saysUp     = "up"     // a connection to Peer
	saysDown   = "down"   // its end, why, and the last numbers sent by then
	saysFor    = "for"    // how many messages were for the peer of a connection, less those dropped, when no more is sent
	saysLedger = "ledger" // the socket's last ledger, or, with ID, the present one
	saysNamed  = "named"  // how many messages its ledger has dropped (Last) and discarded (Other) so far
	saysFault  = "fault"  // what must not be: Column and Text
	saysTotals = "totals" // of a mix
)

// A report is one line of a worker.
type report struct {
	Says     string         `json:"says"`
	ID       int            `json:"id,omitempty"`
	Key      key            `json:"key"`
	Text     string         `json:"text,omitempty"`
	Endpoint string         `json:"endpoint,omitempty"`
	Conn     int            `json:"conn,omitempty"`
	Peer     key            `json:"peer"`
	At       time.Time      `json:"at,omitzero"`
	Stream   stream         `json:"stream"`
	Last     uint64         `json:"last,omitempty"`
	Runs     runs           `json:"runs,omitempty"`
	Sent     map[int]uint64 `json:"sent,omitempty"`
	Ending   bool           `json:"ending,omitempty"`
	Clean    bool           `json:"clean,omitempty"`
	Silent   bool           `json:"silent,omitempty"`
	Column   string         `json:"column,omitempty"`
	Other    uint64         `json:"other,omitempty"` // handed over and not of this program, or not messages
	Answers  uint64         `json:"answers,omitempty"`
	Ledger   *ledger        `json:"ledger,omitempty"`
	Peers    int            `json:"peers,omitempty"`
	Asked    *asked         `json:"asked,omitempty"`
}

// A ledger is socket.Ledger, in messages.
type ledger struct {
	Accepted  uint64            `json:"accepted"`
	Delivered uint64            `json:"delivered"`
	Queued    uint64            `json:"queued,omitempty"`
	Dropped   map[string]uint64 `json:"dropped,omitempty"`
	Received  uint64            `json:"received"`
	Handed    uint64            `json:"handed"`
	Unread    uint64            `json:"unread,omitempty"`
	Discarded map[string]uint64 `json:"discarded,omitempty"`
}

func ledgerOf(l socket.Ledger) *ledger {
	count := func(by map[socket.Reason]socket.Count) map[string]uint64 {
		out := make(map[string]uint64, len(by))
		for why, c := range by {
			out[string(why)] += c.Messages
		}
		return out
	}
	return &ledger{
		Accepted: l.Accepted.Messages, Delivered: l.Delivered.Messages, Queued: l.Queued.Messages,
		Dropped: count(l.Dropped), Received: l.Received.Messages, Handed: l.Handed.Messages,
		Unread: l.Unread.Messages, Discarded: count(l.Discarded),
	}
}

func total(by map[string]uint64) (n uint64) {
	for c := range maps.Values(by) {
		n += c
	}
	return n
}

// Asked is what became of a requester's requests.
type asked struct {
	Replied  uint64 `json:"replied"`
	Lost     uint64 `json:"lost"`     // ErrPeerLost
	TimedOut uint64 `json:"timedOut"` // the context ended
	Refused  uint64 `json:"refused"`  // another error with a name, such as ErrClosed
}

// failed counts the requests for which Do returned an error.
func (a asked) failed() uint64 { return a.Lost + a.TimedOut + a.Refused }
