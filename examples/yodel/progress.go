package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/yodel-mq/yodel/socket"
)

// What is said on standard error while a socket works and when it is done: the progress line, the ledger (--stats) and
// the summary.

// watch starts what --stats and, if wanted, the progress line need, until stop is called.
func (s *session) watch(progress bool) (stop func()) {
	var stops []func()
	if s.flags.stats > 0 {
		stops = append(stops, every(s.flags.stats, func() { s.con.printf("%s", ledgerLine(s.sock)) }))
	}
	if progress {
		stops = append(stops, s.watchDiscards())
	}
	if progress && s.showsProgress() {
		last, at := int64(0), s.began
		stops = append(stops, every(500*time.Millisecond, func() {
			if s.closing.Load() {
				return
			}
			n, now := s.messages.Load(), time.Now()
			rate := float64(n-last) / now.Sub(at).Seconds()
			last, at = n, now
			line := fmt.Sprintf("%s %s, %s, %.0f/s", s.pastTense(), countOf(n, "message"), byteCount(s.bytes.Load()), rate)
			s.con.showProgress(line + s.alsoSent())
		}))
	}
	return func() {
		for _, stop := range stops {
			stop()
		}
		s.con.showProgress("")
	}
}

// showsProgress: on a terminal, unless the messages themselves come from or go to it.
func (s *session) showsProgress() bool {
	busy := s.verb.is(sends) && !s.flags.hasData && !s.flags.hasFile && isTerminal(s.stdin) ||
		(s.verb.is(prints) || s.flags.confirm) && isTerminal(s.stdout)
	return !s.quiet && !busy && isTerminal(s.con.w)
}

func (s *session) pastTense() string {
	switch {
	case s.verb.is(converses):
		return "received"
	case s.verb.is(sends | prints):
		return "got replies to"
	case s.verb.is(sends):
		return "sent"
	case s.verb.is(replies):
		return "replied to"
	}
	return "received"
}

// summary is the last line: what was done and, if anything, what was lost.
func (s *session) summary(ctx context.Context) {
	led := s.sock.Stats().Ledger
	if s.json && s.onlySends() {
		s.printSummary(&led)
	}
	line := fmt.Sprintf("%s: %s %s, %s%s, in %v", s.verb.name, s.pastTense(), countOf(s.messages.Load(), "message"),
		byteCount(s.bytes.Load()), s.alsoDelivered(&led), time.Since(s.began).Round(time.Millisecond))
	if s.onlySends() && s.flags.store == nil && led.Delivered.Messages != led.Accepted.Messages {
		line = fmt.Sprintf("%s: %d of %s delivered", s.verb.name, led.Delivered.Messages,
			countOf(led.Accepted.Messages, "message"))
		if lost := droppedFor(led.Dropped); lost != "" {
			line += "; " + lost
		}
	} else if lost := reasons(led.Dropped); lost != "" {
		line += "; dropped " + lost
	}
	if lost := reasons(led.Discarded); lost != "" {
		line += "; discarded " + lost
	}
	if ctx.Err() != nil {
		line += "; interrupted"
	}
	s.con.notef("%s", line)
}

// onlySends reports whether all that the verb does is to send, so that what it has sent is what there is to tell.
func (s *session) onlySends() bool { return s.verb.is(sends) && !s.verb.is(prints) }

// alsoDelivered is alsoSent, unless not all of that was delivered.
func (s *session) alsoDelivered(led *socket.Ledger) string {
	if !s.verb.is(converses) || s.flags.store != nil || led.Delivered.Messages == led.Accepted.Messages {
		return s.alsoSent()
	}
	return fmt.Sprintf(", %d of %s delivered", led.Delivered.Messages, countOf(led.Accepted.Messages, "message"))
}

// droppedFor lists messages lost, by reason: "2 dropped (queue full), 1 dropped (socket closed)".
func droppedFor(by map[socket.Reason]socket.Count) string {
	var parts []string
	for why, n := range by {
		parts = append(parts, fmt.Sprintf("%d dropped (%s)", n.Messages, why))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

// A summaryJSON is what a sender has done, as JSON.
type summaryJSON struct {
	Event     string                   `json:"event"`
	Accepted  uint64                   `json:"accepted"`
	Delivered uint64                   `json:"delivered"`
	Dropped   map[socket.Reason]uint64 `json:"dropped"`
	Seconds   float64                  `json:"seconds"`
}

// printSummary is the last result of a sender with --json. If nobody reads it, so be it.
func (s *session) printSummary(led *socket.Ledger) {
	sum := summaryJSON{
		Event: "summary", Accepted: led.Accepted.Messages, Delivered: led.Delivered.Messages,
		Dropped: make(map[socket.Reason]uint64), Seconds: time.Since(s.began).Round(time.Millisecond).Seconds(),
	}
	for why, n := range led.Dropped {
		sum.Dropped[why] = n.Messages
	}
	_ = s.printJSON(sum)
}

// ledgerLine is the socket's ledger on one line.
func ledgerLine(sock socket.Socket) string {
	st := sock.Stats()
	return fmt.Sprintf("ledger %s: %s; %s", sock.Type(), countOf(len(st.Peers), "peer"), st.Ledger)
}

// reasons lists messages lost, by reason.
func reasons(by map[socket.Reason]socket.Count) string {
	var parts []string
	for why, n := range by {
		parts = append(parts, fmt.Sprintf("%d (%s)", n.Messages, why))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

func countOf[N int | int64 | uint64](n N, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	if stem, ok := strings.CutSuffix(thing, "y"); ok {
		thing = stem + "ie"
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// byteCount is a number of bytes for people, in powers of ten.
func byteCount(n int64) string {
	units := []string{"B", "kB", "MB", "GB", "TB", "PB", "EB"}
	v, i := float64(n), 0
	for v >= 999.5 && i < len(units)-1 {
		v /= 1000
		i++
	}
	if i == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.3g %s", v, units[i])
}
