package reliable

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket/internal/ranges"
)

func span(from, to uint64) Range { return Range{From: from, To: to} }

// pair is a sender and a receiver with a link between them.
func pair(t *testing.T, sc SenderConfig[string], rc ReceiverConfig) (s *Sender[string], r *Receiver, at, from Link) {
	t.Helper()
	s, r = NewSender(sc), NewReceiver(rc, nil)
	at, from = join(t, s, r)
	return s, r, at, from
}

func join(t *testing.T, s *Sender[string], r *Receiver) (at, from Link) {
	t.Helper()
	at, open, err := s.Open()
	if err != nil {
		t.Fatal(err)
	}
	from, opened := r.Open(open)
	if _, err := s.Opened(at, opened); err != nil {
		t.Fatal(err)
	}
	return at, from
}

func TestOpenedIsJudged(t *testing.T) {
	for _, tt := range []struct {
		name   string
		opened Opened
		err    error
		says   string
	}{
		{"as it should be", Opened{Next: 1}, nil, ""},
		{"fenced", Opened{Status: Fenced}, ErrFenced, ""},
		{"forked", Opened{Status: Forked}, ErrForked, ""},
		{"refused", Opened{Status: Refused}, ErrRefused, ""},
		{"a status that nobody knows", Opened{Status: 99}, ErrRefused, ""},
		{"number 0", Opened{Next: 0}, ErrProtocol, "number 0"},
		{"a next number that was never sent", Opened{Next: 7}, ErrForked, "number 6, the next one is 6"},
		{"done what was never sent", Opened{Next: 1, Done: ranges.From(7)}, ErrForked, "number 6"},
		{"done what was never sent, beyond a gap", Opened{Next: 1, Done: ranges.From(1, span(6, 8))}, ErrForked, "number 7"},
		{"holds what was never sent", Opened{Next: 1, Held: []Range{span(5, 7)}}, ErrForked, "number 6"},
		{"holds nothing, in a range", Opened{Next: 1, Held: []Range{span(3, 3)}}, ErrProtocol, "empty"},
		{"holds something twice", Opened{Next: 1, Held: []Range{span(1, 4), span(3, 5)}}, ErrProtocol, "overlap"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, _, at, _ := pair(t, SenderConfig[string]{}, ReceiverConfig{})
			s.Wrote(at, 5, 5, "five")
			s.Lost(at, 0)
			at, _, err := s.Open()
			if err != nil {
				t.Fatal(err)
			}
			_, err = s.Opened(at, tt.opened)
			if !errors.Is(err, tt.err) || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want %v that says %q", err, tt.err, tt.says)
			}
			if n, _ := s.Unacknowledged(); tt.err != nil && n != 5 {
				t.Errorf("%d messages are unacknowledged after the refusal, want 5", n)
			}
		})
	}
}

func TestOpenedOnce(t *testing.T) {
	s, r, at, _ := pair(t, SenderConfig[string]{}, ReceiverConfig{})
	if _, err := s.Opened(at, Opened{Next: 1}); !errors.Is(err, ErrProtocol) {
		t.Errorf("a second OPENED: %v", err)
	}
	if _, _, err := s.Open(); !errors.Is(err, ErrLinkUp) {
		t.Errorf("a second link: %v", err)
	}
	s.Lost(at, 0)
	s.Lost(at, time.Hour) // counts once
	if next, _ := join(t, s, r); next <= at {
		t.Errorf("link %d after %d", next, at)
	}
}

func TestAckIsJudged(t *testing.T) {
	for _, tt := range []struct {
		name   string
		ack    Ack
		queued uint64
		left   uint64 // of 5 that were written
		freed  []string
		err    error
	}{
		{"nothing", Ack{}, 0, 5, nil, nil},
		{"a part of a write", Ack{Upto: 1}, 0, 4, nil, nil},
		{"a write", Ack{Upto: 2}, 0, 3, []string{"two"}, nil},
		{"all", Ack{Upto: 5}, 0, 0, []string{"two", "three"}, nil},
		{"out of order", Ack{Ranges: []Range{span(2, 5)}}, 0, 2, []string{"ahead: three"}, nil},
		{"the same in two ways", Ack{Upto: 3, Ranges: []Range{span(1, 4), span(2, 3)}}, 0, 1, []string{"two"}, nil},
		{"more than was written, but taken", Ack{Upto: 6}, 1, 0, []string{"two", "three"}, nil},
		{"more than was sent", Ack{Upto: 6}, 0, 5, nil, ErrProtocol},
		{"a range beyond what was sent", Ack{Ranges: []Range{span(4, 6)}}, 0, 5, nil, ErrProtocol},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, _, at, _ := pair(t, SenderConfig[string]{}, ReceiverConfig{})
			s.Wrote(at, 2, 20, "two")
			s.Wrote(at, 3, 30, "three")
			got, err := s.Ack(at, tt.queued, tt.ack)
			if !errors.Is(err, tt.err) {
				t.Fatalf("got %v, want %v", err, tt.err)
			}
			if freed := freedBy(got); !slices.Equal(freed, tt.freed) || got.Messages != 5-tt.left {
				t.Errorf("%d messages and %q, want %d and %q", got.Messages, freed, 5-tt.left, tt.freed)
			}
			if n, _ := s.Unacknowledged(); n != tt.left {
				t.Errorf("%d unacknowledged, want %d", n, tt.left)
			}
		})
	}
}

// freedBy lists payloads that are no longer needed, those ahead of others that are with a note.
func freedBy(s Settlement[string]) (all []string) {
	all = slices.Clone(s.Payloads)
	for _, p := range s.Ahead {
		all = append(all, "ahead: "+p)
	}
	return all
}

// Of writes that are settled ahead of earlier ones the memory may be shared with those, whatever settles them.
func TestFreedAhead(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(s *Sender[string], at Link) Settlement[string]
		want []string
	}{
		{"by an ACK", func(s *Sender[string], at Link) Settlement[string] {
			set, _ := s.Ack(at, 0, Ack{Ranges: []Range{span(1, 2)}})
			return set
		}, []string{"ahead: second"}},
		{"by a NAK", func(s *Sender[string], at Link) Settlement[string] {
			_, set, _, _ := s.GiveBack(at, 0, 1)
			return set
		}, []string{"ahead: second"}},
		{"before its write has returned", func(s *Sender[string], at Link) Settlement[string] {
			_, _ = s.Ack(at, 1, Ack{Ranges: []Range{span(2, 3)}})
			return s.Wrote(at, 1, 1, "third")
		}, []string{"ahead: third"}},
		{"the one before first", func(s *Sender[string], at Link) Settlement[string] {
			_, _ = s.Ack(at, 0, Ack{Upto: 1})
			set, _ := s.Ack(at, 0, Ack{Upto: 2})
			return set
		}, []string{"second"}},
		{"with the one before", func(s *Sender[string], at Link) Settlement[string] {
			set, _ := s.Ack(at, 0, Ack{Ranges: []Range{span(1, 2), span(0, 1)}})
			return set
		}, []string{"first", "second"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, _, at, _ := pair(t, SenderConfig[string]{}, ReceiverConfig{})
			s.Wrote(at, 1, 1, "first")
			s.Wrote(at, 1, 1, "second")
			got := freedBy(tt.do(s, at))
			slices.Sort(got)
			if !slices.Equal(got, tt.want) {
				t.Errorf("freed are %q, want %q", got, tt.want)
			}
		})
	}
}

// What a receiver may forget is all that was given a number and is not to come: neither what is unacknowledged, nor
// what is to be sent again.
func TestSettledNumbers(t *testing.T) {
	s, r, at, _ := pair(t, SenderConfig[string]{}, ReceiverConfig{})
	want := func(most int, low uint64, above ...Range) {
		t.Helper()
		if l, a := s.Settled(most); l != low || !slices.Equal(a, above) {
			t.Errorf("below %d and %v are settled, want %d and %v", l, a, low, above)
		}
	}
	want(9, 1)
	s.Wrote(at, 10, 10, "ten")
	want(9, 1)
	_, _ = s.Ack(at, 0, Ack{Upto: 2, Ranges: []Range{span(4, 6)}}) // numbers 1, 2, 5, 6
	want(9, 3, span(5, 7))
	_, _, _, _ = s.GiveBack(at, 0, 8) // number 9
	want(9, 3, span(5, 7), span(9, 10))
	want(1, 3, span(5, 7))
	s.Place(0, Next{Attempts: 1, Redelivered: true})
	want(9, 3, span(5, 7), span(9, 10)) // number 11 is not given before it is written
	s.Wrote(at, 1, 1, "again")
	want(9, 3, span(5, 7), span(9, 10))
	s.Lost(at, 0)
	at, _ = join(t, s, r) // nothing has arrived
	want(9, 3, span(5, 7), span(9, 10))
	s.Forget(3, 2)
	want(9, 7, span(9, 10))
	s.Place(0, Next{Number: 7})
	s.Wrote(at, 2, 2, "7 and 8")
	_, _ = s.Ack(at, 0, Ack{Upto: 2})
	want(9, 10)
}

// An ACK may come before the write that carried its messages has returned.
func TestAckInsideAWrite(t *testing.T) {
	s, _, at, _ := pair(t, SenderConfig[string]{}, ReceiverConfig{})
	if got, err := s.Ack(at, 4, Ack{Upto: 1, Ranges: []Range{span(2, 3)}}); err != nil || got.Messages != 0 {
		t.Fatalf("%+v, %v", got, err)
	}
	got := s.Wrote(at, 4, 40, "four")
	if got.Messages != 2 || !slices.Equal(got.Numbers, []Range{span(1, 2), span(3, 4)}) || len(got.Payloads) > 0 {
		t.Errorf("Wrote returned %+v", got)
	}
	if n, bytes := s.Unacknowledged(); n != 2 || bytes != 40 {
		t.Errorf("%d messages, %d bytes are unacknowledged", n, bytes)
	}
	if _, err := s.Ack(at, 2, Ack{Upto: 6}); err != nil {
		t.Fatal(err)
	}
	got = s.Wrote(at, 2, 20, "two")
	if got.Messages != 2 || got.Bytes != 20 || !slices.Equal(got.Payloads, []string{"two"}) {
		t.Errorf("Wrote returned %+v", got)
	}
}

func TestGiveBackIsJudged(t *testing.T) {
	s, _, at, _ := pair(t, SenderConfig[string]{}, ReceiverConfig{})
	s.Wrote(at, 3, 30, "three")
	_, _ = s.Ack(at, 0, Ack{Upto: 1})
	for _, tt := range []struct {
		name   string
		link   Link
		queued uint64
		pos    uint64
		ok     bool
		err    error
	}{
		{"settled", at, 0, 0, false, nil},
		{"not sent", at, 0, 3, false, ErrProtocol},
		{"being written", at, 1, 3, false, ErrNotWritten},
		{"of another link", at + 1, 0, 1, false, nil},
		{"as it should be", at, 0, 1, true, nil},
		{"twice", at, 0, 1, false, nil},
	} {
		p, _, ok, err := s.GiveBack(tt.link, tt.queued, tt.pos)
		if ok != tt.ok || !errors.Is(err, tt.err) {
			t.Errorf("%s: %v, %v; want %v, %v", tt.name, ok, err, tt.ok, tt.err)
		}
		if ok && (p.Payload != "three" || p.Skip != 1 || p.Count != 1 || p.Number != 2 || p.Bytes != 10 ||
			p.Attempts != 1 || !p.Redelivered) {
			t.Errorf("%s: %+v", tt.name, p)
		}
	}
	if n, bytes := s.Unacknowledged(); n != 1 || bytes != 20 { // with those of the one that is settled, until the write is
		t.Errorf("%d messages, %d bytes are unacknowledged", n, bytes)
	}
}

// Of messages that follow each other some may have been received and given back, which was lost with the link, and
// others have not arrived: only of the former it is said that they come again.
func TestAgainIsParted(t *testing.T) {
	for _, tt := range []struct {
		name   string
		opened Opened
		want   []Piece[string]
	}{
		{"given back and not arrived", Opened{Known: Everything, Next: 4, Done: ranges.From(2)}, []Piece[string]{
			{Payload: "six", Skip: 1, Count: 2, Number: 2, Bytes: 2, Attempts: 1, Redelivered: true},
			{Payload: "six", Skip: 3, Count: 3, Number: 4, Bytes: 3},
		}},
		{"all given back", Opened{Known: Everything, Next: 7, Done: ranges.From(5)}, []Piece[string]{
			{Payload: "six", Skip: 4, Count: 2, Number: 5, Bytes: 2, Attempts: 1, Redelivered: true},
		}},
		{"none arrived", Opened{Known: Everything, Next: 4, Done: ranges.From(4)}, []Piece[string]{
			{Payload: "six", Skip: 3, Count: 3, Number: 4, Bytes: 3},
		}},
		{"forgotten", Opened{Known: Settled, Next: 4, Done: ranges.From(4)}, []Piece[string]{
			{Payload: "six", Skip: 3, Count: 3, Number: 4, Bytes: 3, Attempts: 1, Redelivered: true},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, _, at, _ := pair(t, SenderConfig[string]{}, ReceiverConfig{})
			s.Wrote(at, 6, 6, "six")
			s.Lost(at, 0)
			at, _, _ = s.Open()
			r, err := s.Opened(at, tt.opened)
			if err != nil || !slices.Equal(r.Again, tt.want) {
				t.Errorf("%v, %+v; want %+v", err, r.Again, tt.want)
			}
		})
	}
}

func TestWindow(t *testing.T) {
	for _, tt := range []struct {
		name            string
		window, credit  Limit
		messages, bytes uint64
		room            bool
	}{
		{"below both", Limit{4, 40}, Limit{}, 3, 39, true},
		{"messages", Limit{4, 40}, Limit{}, 4, 1, false},
		{"bytes", Limit{4, 40}, Limit{}, 1, 40, false},
		{"less credit", Limit{4, 40}, Limit{3, 0}, 3, 1, false},
		{"less credit in bytes", Limit{4, 40}, Limit{0, 30}, 1, 30, false},
		{"more credit", Limit{4, 40}, Limit{9, 90}, 4, 1, false},
		{"by default", Limit{}, Limit{}, DefaultWindowMessages - 1, DefaultWindowBytes - 1, true},
		{"by default, messages", Limit{}, Limit{}, DefaultWindowMessages, 1, false},
		{"by default, bytes", Limit{}, Limit{}, 1, DefaultWindowBytes, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, _, at, _ := pair(t, SenderConfig[string]{Window: tt.window}, ReceiverConfig{Credit: tt.credit})
			s.Wrote(at, tt.messages, tt.bytes, "")
			if s.Room() != tt.room {
				t.Errorf("room is %v", !tt.room)
			}
			if _, err := s.Ack(at, 0, Ack{Upto: tt.messages}); err != nil || !s.Room() {
				t.Errorf("no room after all is acknowledged, %v", err)
			}
			s.Lost(at, 0)
			if s.Room() {
				t.Error("room without a link")
			}
		})
	}
}

func TestGrace(t *testing.T) {
	for _, tt := range []struct {
		name    string
		grace   time.Duration
		unacked bool
		at      time.Duration
		ok      bool
	}{
		{"by default", 0, true, DefaultGrace + time.Second, true},
		{"as asked", time.Minute, true, time.Minute + time.Second, true},
		{"for ever", -1, true, 0, false},
		{"nothing to wait for", time.Minute, false, 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, r, at, _ := pair(t, SenderConfig[string]{Grace: tt.grace}, ReceiverConfig{})
			if tt.unacked {
				s.Wrote(at, 1, 1, "one")
			}
			if _, ok := s.Expires(); ok {
				t.Error("expires while the link is up")
			}
			s.Lost(at, time.Second)
			if got, ok := s.Expires(); ok != tt.ok || ok && got != tt.at {
				t.Errorf("expires at %v, %v; want %v, %v", got, ok, tt.at, tt.ok)
			}
			join(t, s, r)
			if _, ok := s.Expires(); ok {
				t.Error("expires after the receiver has come back")
			}
		})
	}
}

// A receiver that comes back after it was given up on is not sent again what another has got, and takes what is new.
func TestAbandon(t *testing.T) {
	for _, reached := range []bool{true, false} {
		s, r, at, from := pair(t, SenderConfig[string]{}, ReceiverConfig{})
		s.Wrote(at, 3, 30, "three")
		r.Judge(from, 1)
		r.Took(1)
		_, _ = s.Ack(at, 0, Ack{Upto: 1})
		s.Lost(at, 0)
		got := s.Abandon(reached)
		if len(got.Again) != 1 || got.Settled.Bytes != 10 {
			t.Fatalf("%+v", got)
		}
		p := got.Again[0]
		if p.Skip != 1 || p.Count != 2 || p.Bytes != 20 || p.Redelivered != reached || p.Attempts > 0 != reached {
			t.Errorf("reached %v: %+v", reached, p)
		}
		at, from = join(t, s, r)
		if n, _ := s.Unacknowledged(); n != 0 {
			t.Errorf("%d unacknowledged", n)
		}
		next, needed := s.Place(0, Next{})
		if needed || next.Number != 4 || r.NextNumber() != 4 {
			t.Errorf("next is %+v, %v, and %d is expected", next, needed, r.NextNumber())
		}
		s.Wrote(at, 1, 1, "four")
		if v, _ := r.Judge(from, 1); v != Take {
			t.Errorf("verdict %d", v)
		}
	}
}

func TestTellLow(t *testing.T) {
	s, _, at, _ := pair(t, SenderConfig[string]{Window: Limit{Messages: 400}}, ReceiverConfig{})
	var told []uint64
	for low := uint64(1); low <= 350; low++ {
		if s.TellLow(low) {
			told = append(told, low)
		}
	}
	if want := []uint64{101, 201, 301}; !slices.Equal(told, want) {
		t.Errorf("told %v, want %v", told, want)
	}
	s.Lost(at, 0)
	if s.TellLow(1000) {
		t.Error("told without a link")
	}
}

// A sender that begins its numbers again, as one with an old copy of its spool does, is refused by either side.
func TestStreamsThatFork(t *testing.T) {
	taken := func(epoch, nonce, n uint64) *Receiver {
		r := NewReceiver(ReceiverConfig{}, nil)
		link, _ := r.Open(Open{Epoch: epoch, Nonce: nonce, Link: 7, Low: 1, Next: 100})
		r.Judge(link, n)
		r.Took(n)
		return r
	}
	for _, tt := range []struct {
		name string
		r    *Receiver
		open Open
		want Status
	}{
		{"goes on", taken(2, 5, 10), Open{Epoch: 2, Nonce: 5, Link: 8, Low: 1, Next: 11}, OK},
		{"in a new life", taken(2, 5, 10), Open{Epoch: 3, Nonce: 6, Link: 1, Low: 1, Next: 11}, OK},
		{"in an old life", taken(2, 5, 10), Open{Epoch: 1, Nonce: 4, Link: 9, Low: 1, Next: 11}, Fenced},
		{"by an old link", taken(2, 5, 10), Open{Epoch: 2, Nonce: 5, Link: 6, Low: 1, Next: 11}, Fenced},
		{"by the same link", taken(2, 5, 10), Open{Epoch: 2, Nonce: 5, Link: 7, Low: 1, Next: 11}, Fenced},
		{"a copy", taken(2, 5, 10), Open{Epoch: 2, Nonce: 6, Link: 8, Low: 1, Next: 11}, Forked},
		{"put back", taken(2, 5, 10), Open{Epoch: 3, Nonce: 6, Link: 1, Low: 1, Next: 10}, Forked},
		{"nothing sent and something settled", taken(2, 5, 10), Open{Epoch: 3, Low: 11, Next: 10}, Refused},
		{"from number 0", taken(2, 5, 10), Open{Epoch: 3, Low: 0, Next: 11}, Refused},
		{"numbers without an end", taken(2, 5, 10), Open{Epoch: 3, Low: 1, Next: 1 << 63}, Refused},
		{
			"a nonce that was not kept", NewReceiver(ReceiverConfig{}, &Memory{Epoch: 2, Settled: ranges.From(5)}),
			Open{Epoch: 2, Nonce: 9, Link: 1, Low: 1, Next: 5},
			OK,
		},
		{
			"a copy, with a nonce kept", NewReceiver(ReceiverConfig{}, &Memory{Epoch: 2, Nonce: 8, Settled: ranges.From(5)}),
			Open{Epoch: 2, Nonce: 9, Link: 1, Low: 1, Next: 5},
			Forked,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			owner, before := tt.r.Owner(), tt.r.Memory()
			link, got := tt.r.Open(tt.open)
			if got.Status != tt.want || (link == 0) != (tt.want != OK) {
				t.Errorf("link %d, status %d, want %d", link, got.Status, tt.want)
			}
			if after := tt.r.Memory(); tt.want != OK && (tt.r.Owner() != owner || after.Epoch != before.Epoch) {
				t.Error("the refusal has changed something")
			}
		})
	}
}
