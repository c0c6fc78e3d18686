package main

import (
	"fmt"
	"time"

	"github.com/yodel-mq/yodel/socket"
)

// promptForLines says that lines are awaited, where somebody sits who is to type them.
func (s *session) promptForLines() {
	if s.readsLines() {
		s.promptFor("a message")
	}
}

// promptFor says what is awaited, if it is somebody's to type.
func (a *app) promptFor(what string) {
	if isTerminal(a.stdin) {
		a.con.notef("type %s a line; Ctrl-D ends", what)
	}
}

// readsLines reports whether the messages come from standard input.
func (s *session) readsLines() bool {
	return s.verb.is(sends) && !s.flags.hasData && !s.flags.hasFile
}

// watchDiscards tells of each reason for which messages that came were discarded, when that happens first, until stop
// is called.
func (s *session) watchDiscards() (stop func()) {
	told := make(map[socket.Reason]bool)
	look := func() {
		for why := range s.sock.Stats().Discarded {
			if text := discardOf(s.verb.name, why); text != "" && !told[why] && !s.closing.Load() {
				told[why] = true
				s.con.notef("%s: %s", s.verb.name, text)
			}
		}
	}
	return every(lookEvery, look)
}

const lookEvery = 500 * time.Millisecond

// discardOf says what a reason means and, where something can be done about it, what.
func discardOf(verb string, why socket.Reason) string {
	switch {
	case why == socket.BadEnvelope && verb == "rep":
		return "a request without an empty frame in front was discarded" +
			" (a dealer must send one: a line that begins with the delimiter)"
	case why == socket.BadEnvelope:
		return "a reply without an empty frame in front was discarded (a dealer or router must send one back)"
	case why == socket.StaleReply:
		return "a reply that nobody waits for any more was discarded"
	case why == socket.SocketClosed, why == socket.PeerGone: // the end of it
		return ""
	}
	return fmt.Sprintf("a message was discarded (%s)", why)
}
