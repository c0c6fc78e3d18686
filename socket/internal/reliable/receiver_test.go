package reliable

import (
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket/internal/ranges"
)

// opened is a receiver with a link.
func opened(rc ReceiverConfig, o Open) (*Receiver, Link) {
	r := NewReceiver(rc, nil)
	o.Low, o.Next = max(o.Low, 1), max(o.Next, 1)
	link, _ := r.Open(o)
	return r, link
}

func TestAckIsDue(t *testing.T) {
	for _, tt := range []struct {
		name            string
		rc              ReceiverConfig
		window          Limit
		after           time.Duration
		messages, bytes uint64
		due             bool
	}{
		{"a few", ReceiverConfig{}, Limit{}, 0, 100, 1000, false},
		{"many messages", ReceiverConfig{}, Limit{}, 0, DefaultAckMessages, 0, true},
		{"one fewer", ReceiverConfig{}, Limit{}, 0, DefaultAckMessages - 1, 0, false},
		{"many bytes", ReceiverConfig{}, Limit{}, 0, 2, DefaultAckBytes, true},
		{"one fewer byte", ReceiverConfig{}, Limit{}, 0, 2, DefaultAckBytes - 1, false},
		{"after a while", ReceiverConfig{}, Limit{}, DefaultAckDelay, 2, 1, true},
		{"a little earlier", ReceiverConfig{}, Limit{}, DefaultAckDelay - 1, 2, 1, false},
		{"after as long as asked", ReceiverConfig{AckDelay: time.Second}, Limit{}, time.Second - 1, 2, 1, false},
		{"a quarter of a small window", ReceiverConfig{}, Limit{Messages: 400}, 0, 100, 0, true},
		{"less than that", ReceiverConfig{}, Limit{Messages: 400}, 0, 99, 0, false},
		{"a quarter of a small window in bytes", ReceiverConfig{}, Limit{Bytes: 400}, 0, 2, 100, true},
		{"a quarter of little credit", ReceiverConfig{Credit: Limit{Messages: 40}}, Limit{Messages: 400}, 0, 10, 0, true},
		{"the smallest window", ReceiverConfig{}, Limit{Messages: 1}, 0, 1, 0, true},
		{"as often as asked", ReceiverConfig{AckEvery: Limit{Messages: 5}}, Limit{}, 0, 5, 0, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, link := opened(tt.rc, Open{Window: tt.window})
			r.Judge(link, 1<<20)
			r.Took(1 << 20)
			if r.Settle(0, tt.messages-1, 0) {
				t.Error("an ACK is due before that")
			}
			if got := r.Settle(tt.after, 1, tt.bytes); got != tt.due {
				t.Errorf("due is %v", got)
			}
		})
	}
}

// The time runs from the first message that was settled since the last ACK.
func TestAckAt(t *testing.T) {
	r, link := opened(ReceiverConfig{}, Open{})
	r.Judge(link, 10)
	r.Took(10)
	if _, ok := r.AckAt(); ok {
		t.Error("an ACK is owed for nothing")
	}
	r.Settle(time.Second, 1, 1)
	r.Settle(time.Second+time.Millisecond, 1, 1)
	if at, ok := r.AckAt(); !ok || at != time.Second+DefaultAckDelay {
		t.Errorf("at %v, %v", at, ok)
	}
	if a, ok := r.Acknowledge(); !ok || a.Upto != 2 {
		t.Errorf("%+v, %v", a, ok)
	}
	if a, ok := r.Acknowledge(); ok {
		t.Errorf("the same once more: %+v", a)
	}
	r.Settle(2*time.Second, 1, 1)
	r.Lost(link)
	if _, ok := r.AckAt(); ok {
		t.Error("an ACK is owed without a link")
	}
	if _, ok := r.Acknowledge(); ok {
		t.Error("an ACK without a link")
	}
}

// A refusal is said over each link until the sender says that the message is settled, by whatever means.
func TestRefusedIsSaidAgain(t *testing.T) {
	r, link := opened(ReceiverConfig{}, Open{})
	r.Judge(link, 9)
	r.Took(9)
	for _, n := range []uint64{4, 7, 2, 3} {
		if pos, known := r.Terminate(n, "no "+strconv.Itoa(int(n))); !known || pos != n-1 {
			t.Errorf("number %d is at %d, %v", n, pos, known)
		}
	}
	if _, known := r.Terminate(4, "again"); known {
		t.Error("refused twice")
	}
	r.Settle(0, 1, 1)
	from := Link(1)
	reopen := func(low uint64, held []Range, terms ...Term) {
		t.Helper()
		r.Lost(link)
		from++
		var yes Opened
		link, yes = r.Open(Open{Link: from, Low: low, Next: 10})
		if !slices.Equal(yes.Held, held) {
			t.Errorf("held are %v, want %v", yes.Held, held)
		}
		for _, h := range held {
			if yes.Done.Contains(h.From) {
				t.Errorf("number %d is held and settled", h.From)
			}
		}
		if got := r.Terms(); !slices.Equal(got, terms) {
			t.Errorf("TERM is to say %v, want %v", got, terms)
		}
		if n := r.Unsettled(); n != sum(held)-uint64(len(terms)) {
			t.Errorf("%d are unsettled", n)
		}
	}
	rest := []Range{span(5, 7), span(8, 10)}
	reopen(1, append(slices.Clone(rest), span(2, 5), span(7, 8)), Term{4, "no 2"}, Term{5, "no 3"}, Term{6, "no 4"},
		Term{7, "no 7"})
	reopen(4, append(slices.Clone(rest), span(4, 5), span(7, 8)), Term{4, "no 4"}, Term{5, "no 7"})
	if err := r.Low(link, 4, span(7, 8)); err != nil {
		t.Error(err)
	}
	reopen(4, append(slices.Clone(rest), span(4, 5)), Term{4, "no 4"})
	r.SettleNumber(0, 5, 1)
	if a, _ := r.Acknowledge(); a.Upto != 1 {
		t.Errorf("%+v", a)
	}
	reopen(5, []Range{span(6, 7), span(8, 10)})
}

// Refusals that the sender does not settle are bounded.
func TestRefusedAreBounded(t *testing.T) {
	r, link := opened(ReceiverConfig{}, Open{})
	const some = 10
	r.Judge(link, MaxRefused+some)
	r.Took(MaxRefused + some)
	for n := range uint64(MaxRefused + some) {
		r.Terminate(n+1, "")
	}
	_, yes := r.Open(Open{Link: 2, Low: 1, Next: MaxRefused + some + 1})
	if want := []Range{span(some+1, MaxRefused+some+1)}; !slices.Equal(yes.Held, want) || len(r.Terms()) != MaxRefused {
		t.Errorf("held are %v, want %v; %d refusals", yes.Held, want, len(r.Terms()))
	}
}

func TestSettledOutOfOrder(t *testing.T) {
	r, link := opened(ReceiverConfig{}, Open{})
	r.Judge(link, 200)
	r.Took(200)
	for _, n := range []uint64{3, 5, 6, 1} { // positions 2, 4, 5, 0
		if _, known := r.SettleNumber(0, n, 1); !known {
			t.Errorf("number %d is not held", n)
		}
	}
	if _, known := r.SettleNumber(0, 3, 1); known {
		t.Error("settled twice")
	}
	if _, known := r.SettleNumber(0, 201, 1); known {
		t.Error("settled what never came")
	}
	if a, _ := r.Acknowledge(); a.Upto != 1 || !slices.Equal(a.Ranges, []Range{span(2, 3), span(4, 6)}) {
		t.Errorf("%+v", a)
	}
	r.SettleNumber(0, 2, 1)
	if a, _ := r.Acknowledge(); a.Upto != 3 || len(a.Ranges) > 0 {
		t.Errorf("%+v, want what is new", a)
	}
	due := false
	for n := uint64(10); !due && n < 200; n += 2 {
		due, _ = r.SettleNumber(0, n, 1)
	}
	if a, _ := r.Acknowledge(); len(a.Ranges) != MaxAckRanges {
		t.Errorf("due with %d ranges, want %d", len(a.Ranges), MaxAckRanges)
	}
	if n := r.Unsettled(); n != 200-5-MaxAckRanges {
		t.Errorf("%d are unsettled", n)
	}
}

func TestWhatTheSenderSaysIsJudged(t *testing.T) {
	r, link := opened(ReceiverConfig{}, Open{})
	for _, tt := range []struct {
		name string
		err  error
		want error
	}{
		{"NEXT 0", r.Next(link, Next{}), ErrProtocol},
		{"NEXT without an end", r.Next(link, Next{Number: 1 << 63}), ErrProtocol},
		{"NEXT of another link", r.Next(link+1, Next{}), nil},
		{"LOW without an end", r.Low(link, 1<<63), ErrProtocol},
		{"LOW with nothing, in a range", r.Low(link, 1, span(5, 5)), ErrProtocol},
		{"LOW with a range without an end", r.Low(link, 1, span(5, 1<<63+1)), ErrProtocol},
		{"LOW of another link", r.Low(link+1, 1<<63), nil},
		{"GAP of nothing", r.Gap(link, span(5, 5)), ErrProtocol},
		{"GAP from 0", r.Gap(link, span(0, 5)), ErrProtocol},
		{"GAP without an end", r.Gap(link, span(5, 1<<63+1)), ErrProtocol},
		{"GAP of another link", r.Gap(link+1, span(5, 5)), nil},
		{"GAP", r.Gap(link, span(5, 9)), nil},
		{"NEXT", r.Next(link, Next{Number: 4}), nil},
	} {
		if !errors.Is(tt.err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, tt.err, tt.want)
		}
	}
	if v, k := r.Judge(link, 9); v != Take || k != 1 || r.Flags().Number != 4 { // which NEXT has named
		t.Errorf("verdict %d for %d, flags %+v", v, k, r.Flags())
	}
	r.Took(1)
	if v, k := r.Judge(link, 9); v != Duplicate || k != 4 {
		t.Errorf("verdict %d for %d", v, k)
	}
	if r.Flags() != (Next{}) {
		t.Errorf("flags %+v are left over", r.Flags())
	}
	if v, k := r.Judge(link+1, 9); v != Void || k != 9 {
		t.Errorf("verdict %d for %d of another link", v, k)
	}
}

// LOW closes gaps of which others have the messages; a sender that leaves ever more of them is refused.
func TestGaps(t *testing.T) {
	r, link := opened(ReceiverConfig{}, Open{})
	var err error
	n := uint64(1)
	for ; err == nil && n < 4*MaxGaps; n += 2 {
		if err = r.Next(link, Next{Number: n}); err == nil {
			r.Judge(link, 1)
			r.Took(1)
		}
		if n == MaxGaps+1 {
			if err := r.Low(link, 100, span(101, n)); err != nil {
				t.Fatal(err)
			}
			if a := r.taken.Above(); len(a) != 1 || a[0] != span(101, n+1) {
				t.Errorf("%d gaps are left", len(a))
			}
		}
	}
	if !errors.Is(err, ErrProtocol) || n < 3*MaxGaps {
		t.Errorf("%v at number %d", err, n)
	}
}

// What is kept on disk has what is settled, not what is held.
func TestMemory(t *testing.T) {
	r, link := opened(ReceiverConfig{}, Open{Epoch: 3, Nonce: 4, Low: 5, Next: 50})
	r.Judge(link, 10)
	r.Took(10)
	r.SettleNumber(0, 7, 1)
	r.SettleNumber(0, 5, 1)
	m := r.Memory()
	if want := ranges.From(6, span(7, 8)); m.Epoch != 3 || m.Nonce != 4 || m.Settled.Floor() != want.Floor() ||
		!slices.Equal(m.Settled.Above(), want.Above()) {
		t.Errorf("%+v", m)
	}
	again := NewReceiver(ReceiverConfig{}, &m)
	_, o := again.Open(Open{Epoch: 4, Low: 5, Next: 50})
	if o.Known != Settled || len(o.Held) > 0 || o.Next != 8 || o.Done.Contains(6) || !o.Done.Contains(7) {
		t.Errorf("%+v", o)
	}
	at, o := again.Open(Open{Epoch: 4, Link: 2, Low: 5, Next: 50})
	if o.Known != Settled {
		t.Errorf("%+v, though the answer before may have been lost", o)
	}
	again.Judge(at, 1)
	if _, o := again.Open(Open{Epoch: 4, Link: 3, Low: 5, Next: 50}); o.Known != Everything {
		t.Errorf("%+v", o)
	}
}

// TestDoubt: each life of a sender hears once of a receiver that it has begun anew, while there is something unsettled
// that an earlier life of the receiver may have received.
func TestDoubt(t *testing.T) {
	r := NewReceiver(ReceiverConfig{Named: true}, nil)
	for i, step := range []struct {
		epoch    uint64
		link     Link
		low      uint64
		says     Knowledge
		receives bool
	}{
		{4, 1, 2, Nothing, false},
		{4, 2, 2, Nothing, true},
		{4, 3, 3, Everything, false},
		{5, 1, 3, Settled, false},
		{5, 2, 3, Settled, true},
		{5, 3, 4, Everything, false},
		{6, 1, 10, Everything, false},
	} {
		link, o := r.Open(Open{Epoch: step.epoch, Link: step.link, Low: step.low, Next: 10})
		if o.Status != OK || o.Known != step.says {
			t.Errorf("answer %d is %+v, want knowledge %d", i+1, o, step.says)
		}
		if step.receives {
			r.Judge(link, 1)
			r.Took(1)
		}
	}
}

// In order, which is nearly always, a read, a write and an ACK allocate nothing, whatever is in them.
func TestInOrderAllocatesNothing(t *testing.T) {
	s := NewSender(SenderConfig[*int]{})
	r := NewReceiver(ReceiverConfig{}, nil)
	at, open, _ := s.Open()
	from, o := r.Open(open)
	if _, err := s.Opened(at, o); err != nil {
		t.Fatal(err)
	}
	payload := new(int)
	if n := testing.AllocsPerRun(1000, func() {
		for range 4 {
			s.Wrote(at, 100, 1600, payload)
			r.Judge(from, 100)
			r.Took(100)
			r.Settle(0, 100, 1600)
		}
		a, _ := r.Acknowledge()
		if got, err := s.Ack(at, 0, a); err != nil || len(got.Payloads) != 4 {
			t.Fatal(got, err)
		}
		s.TellLow(s.Low())
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkInOrder(b *testing.B) {
	s := NewSender(SenderConfig[*int]{})
	r := NewReceiver(ReceiverConfig{}, nil)
	at, open, _ := s.Open()
	from, o := r.Open(open)
	if _, err := s.Opened(at, o); err != nil {
		b.Fatal(err)
	}
	for b.Loop() { // one write of 1,000 messages, and its ACK
		s.Wrote(at, 1000, 16000, nil)
		r.Judge(from, 1000)
		r.Took(1000)
		r.Settle(0, 1000, 16000)
		a, _ := r.Acknowledge()
		if _, err := s.Ack(at, 0, a); err != nil {
			b.Fatal(err)
		}
	}
}
