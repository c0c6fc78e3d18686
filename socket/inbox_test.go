package socket

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// A rig is an inbox without a socket, and what it asks of its socket.
type rig struct {
	inbox
	t         *testing.T
	clock     time.Duration
	scheduled map[*link]time.Duration
	failed    map[*link]error
	accounts  []*inCounts
}

func newRig(t *testing.T, cfg inboxConfig) *rig {
	r := &rig{t: t, scheduled: make(map[*link]time.Duration), failed: make(map[*link]error)}
	r.receives = true
	cfg.eachPush = cfg.latest || cfg.leastOutstanding || cfg.received
	r.inboxConfig = cfg
	r.env = inboxEnv{
		now:      func() time.Duration { return r.clock },
		schedule: func(l *link, within time.Duration) { r.scheduled[l] = within },
		fail:     func(l *link, cause error) { r.failed[l] = cause },
		spawn:    func(f func()) { f() },
	}
	t.Cleanup(r.balanced)
	return r
}

// balanced checks the ledger of the inbox and of its links.
func (r *rig) balanced() {
	r.recv.Lock()
	defer r.recv.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.enterTaken()
	for _, c := range append(r.accounts, &r.counts) {
		if !c.received.isSum(c.discarded, c.handed, c.unread) {
			r.t.Errorf("%+v does not balance", *c)
		}
	}
}

// join admits a link with a mark of its own.
func (r *rig) join(limit mark) *link {
	l := &link{peer: &Peer{}}
	l.carrier = &wire{l}
	l.in.limit = limit
	l.in.resume = make(chan struct{}, 1)
	r.accounts = append(r.accounts, &l.in.counts)
	r.admit(l)
	return l
}

// bring puts messages in a link's queue and returns how many it took.
func (r *rig) bring(l *link, bodies ...string) int {
	var msgs [][][]byte
	for _, b := range bodies {
		msgs = append(msgs, [][]byte{[]byte(b)})
	}
	return r.put(l, msgs)
}

// recvOne receives a message, or returns the error in its place.
func (r *rig) recvOne() string {
	m, err := r.get(r.t.Context(), false, nil)
	if err != nil {
		return err.Error()
	}
	return string(m.Bytes())
}

func (r *rig) recvMany(n int) (got []string) {
	for range n {
		got = append(got, r.recvOne())
	}
	return got
}

// goesOn reports whether the reader of a link that was full has been told to go on, since the last time.
func goesOn(l *link) bool {
	select {
	case <-l.in.resume:
		return true
	default:
		return false
	}
}

// series makes n bodies: a1, a2 and so on.
func series(name string, n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprint(name, i+1))
	}
	return all
}

// TestInboxIsFair: links that have messages take turns, also with one that comes while a receiver has messages of
// another in its prefetch buffer.
func TestInboxIsFair(t *testing.T) {
	type step struct {
		link  string
		bring int
		recv  int
	}
	for _, tt := range []struct {
		name  string
		steps []step
		want  string
	}{
		{"one link", []step{{"a", 3, 3}}, "a1 a2 a3"},
		{"two links", []step{{"a", 3, 0}, {"b", 2, 5}}, "a1 b1 a2 b2 a3"},
		{"three, of which one has more", []step{{"a", 1, 0}, {"b", 4, 0}, {"c", 1, 6}}, "a1 b1 c1 b2 b3 b4"},
		{"one that was empty comes behind", []step{{"a", 1, 1}, {"b", 2, 0}, {"a", 1, 3}}, "a1 b1 a2 b2"},
		{"one comes in between", []step{{"a", 4, 2}, {"b", 2, 4}}, "a1 a2 b1 a3 b2 a4"},
		{"one comes while messages are prefetched", []step{{"a", 12, 3}, {"b", 2, 5}}, "a1 a2 a3 b1 a4 b2 a5 a6"},
		{"so that more of the same come behind", []step{{"a", 9, 3}, {"a", 2, 8}}, "a1 a2 a3 a4 a5 a6 a7 a8 a9 a10 a11"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, inboxConfig{})
			links, sent := make(map[string]*link), make(map[string]int)
			var got []string
			for _, s := range tt.steps {
				if links[s.link] == nil {
					links[s.link] = r.join(mark{})
				}
				all := series(s.link, sent[s.link]+s.bring)
				r.bring(links[s.link], all[sent[s.link]:]...)
				sent[s.link] = len(all)
				got = append(got, r.recvMany(s.recv)...)
			}
			if got := strings.Join(got, " "); got != tt.want {
				t.Errorf("received %s, want %s", got, tt.want)
			}
		})
	}
}

// TestInboxMarks: a link's queue takes what its marks allow, and opens again when it is down to half of them, whether
// receivers take messages one at a time or by prefetching.
func TestInboxMarks(t *testing.T) {
	const body = "0123456789"
	for _, tt := range []struct {
		name    string
		limit   mark
		bring   int
		takes   int // of what is brought
		reopens int // after so many have been received
	}{
		{"no mark", mark{}, 100, 100, -1},
		{"one message", mark{messages: 1}, 3, 1, 1},
		{"a few", mark{messages: 5}, 10, 5, 3},
		{"so many that they are prefetched", mark{messages: 40}, 60, 40, 20},
		{"an odd number of them", mark{messages: 41}, 60, 41, 21},
		{"bytes, with what a frame costs", mark{bytes: 4 * (10 + queuedFrame)}, 10, 4, 2},
		{"passed by one message", mark{bytes: 4*(10+queuedFrame) - 1}, 10, 4, 3},
		{"bytes of many", mark{bytes: 40 * (10 + queuedFrame)}, 60, 40, 20},
		{"whichever is reached first", mark{messages: 10, bytes: 4 * (10 + queuedFrame)}, 20, 4, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, inboxConfig{})
			l := r.join(tt.limit)
			if n := r.bring(l, slices.Repeat([]string{body}, tt.bring)...); n != tt.takes {
				t.Fatalf("%d messages were taken, want %d", n, tt.takes)
			}
			for n := 1; n <= tt.takes; n++ {
				if m := r.recvOne(); m != body {
					t.Fatalf("message %d is %q", n, m)
				}
				if told := goesOn(l); told != (n == tt.reopens) {
					t.Fatalf("after %d messages the reader was told to go on: %v; want that after %d", n, told, tt.reopens)
				}
				full := tt.reopens >= 0 && n < tt.reopens
				if full && r.bring(l, body) != 0 {
					t.Fatalf("after %d messages one more was taken", n)
				}
			}
			if r.bring(l, body) != 1 {
				t.Error("an empty queue takes nothing")
			}
		})
	}
}

// TestInboxDiscards: what a role does not hand out makes room all the same, and is accounted for.
func TestInboxDiscards(t *testing.T) {
	for _, n := range []int{4, 40} { // without and with prefetching
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			r := newRig(t, inboxConfig{})
			r.filter = func(_ *link, m Msg) (Msg, Reason) {
				if string(m.Bytes()) == "good" {
					return m, ""
				}
				return m, BadEnvelope
			}
			l := r.join(mark{messages: uint64(n)})
			bodies := append([]string{"good"}, slices.Repeat([]string{"bad"}, n-1)...)
			r.bring(l, bodies...)
			if got := r.recvMany(2); got[0] != "good" || got[1] != ErrWouldBlock.Error() {
				t.Errorf("received %q", got)
			}
			if !goesOn(l) {
				t.Error("the reader was not told to go on")
			}
			if got := r.counts.discarded[BadEnvelope].Messages; got != uint64(n-1) {
				t.Errorf("%d messages discarded, want %d", got, n-1)
			}
			if l.useless.Load() != uint64(n-1) {
				t.Errorf("%d count as useless, want %d", l.useless.Load(), n-1)
			}
		})
	}
}

// TestInboxDiscardsOfSeveral: if one Recv discards what several full links have, the readers of all go on.
func TestInboxDiscardsOfSeveral(t *testing.T) {
	r := newRig(t, inboxConfig{})
	r.filter = func(_ *link, m Msg) (Msg, Reason) { return m, StaleReply }
	links := []*link{r.join(mark{messages: 2}), r.join(mark{messages: 2}), r.join(mark{messages: 2})}
	for _, l := range links {
		r.bring(l, series("x", 2)...)
	}
	if got := r.recvOne(); got != ErrWouldBlock.Error() {
		t.Errorf("received %q", got)
	}
	for i, l := range links {
		if !goesOn(l) {
			t.Errorf("the reader of link %d was not told to go on", i)
		}
	}
}

// TestInboxKeepsTheLatest: of each link the newest message is left, and the others have been replaced.
func TestInboxKeepsTheLatest(t *testing.T) {
	r := newRig(t, inboxConfig{latest: true})
	a, b := r.join(mark{messages: 1}), r.join(mark{messages: 1})
	if n := r.bring(a, series("a", 20)...) + r.bring(b, series("b", 3)...); n != 23 {
		t.Errorf("%d messages were taken, want 23", n)
	}
	if got := r.recvMany(3); !slices.Equal(got, []string{"a20", "b3", ErrWouldBlock.Error()}) {
		t.Errorf("received %q", got)
	}
	if n := r.counts.discarded[Replaced].Messages; n != 21 {
		t.Errorf("%d messages replaced, want 21", n)
	}
}

// TestInboxHoldsBack: messages wait while the role says that it is not the receiver's turn, and a wait ends when the
// role stops it.
func TestInboxHoldsBack(t *testing.T) {
	r := newRig(t, inboxConfig{})
	outOfTurn, stopped := errors.New("out of turn"), errors.New("stopped")
	turn, stop := outOfTurn, error(nil)
	r.turn = func() error { return turn }
	r.stop = func() error { return stop }
	r.bring(r.join(mark{}), "one")
	if got := r.recvOne(); got != outOfTurn.Error() {
		t.Errorf("received %q out of turn", got)
	}
	if turn, stop = nil, stopped; r.recvOne() != "one" {
		t.Error("a wait is stopped that there was no need for")
	}
	if r.recvOne() != stopped.Error() {
		t.Error("the wait was not stopped")
	}
	r.close()
	if turn = outOfTurn; r.recvOne() != ErrClosed.Error() {
		t.Error("that it is closed is not what matters most")
	}
}

// TestInboxAfterClose: all that was unread, or comes afterwards, is discarded, and receivers are told.
func TestInboxAfterClose(t *testing.T) {
	r := newRig(t, inboxConfig{})
	l := r.join(mark{})
	r.bring(l, series("a", 20)...)
	r.recvMany(3)
	r.close()
	if n := r.bring(l, "late"); n != 1 {
		t.Error("the reader is to wait for room that there will never be")
	}
	if _, err := r.get(t.Context(), true, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("Recv: %v", err)
	}
	want := Count{18, uint64(len(strings.Join(series("a", 20)[3:], "")) + 4)}
	for name, c := range map[string]*inCounts{"inbox": &r.counts, "link": &l.in.counts} {
		if got := c.discarded[SocketClosed]; got != want || c.unread != (Count{}) {
			t.Errorf("%s: %v discarded and %v unread, want %v and none", name, got, c.unread, want)
		}
	}
}

// TestOrphansMark: what peers leave behind is received in its turn, and while it comes to the mark those that join are
// not read; those that were there before are.
func TestOrphansMark(t *testing.T) {
	const each = 10 + queuedFrame
	bodies := slices.Repeat([]string{"0123456789"}, 8)
	const orphan = 8*each + orphanCost
	for _, tt := range []struct {
		name   string
		mark   uint64
		freeAt int // how many messages must be received until the link that joins is read; 0 if it is from the start
	}{
		{"no mark", 0, 0},
		{"below it", 2*orphan + 1, 0},
		{"at it, until one has nothing left", 2 * orphan, 16},
		{"past it with one, until none has", orphan / 2, 17},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, inboxConfig{orphanMark: tt.mark})
			before, one, other := r.join(mark{}), r.join(mark{}), r.join(mark{})
			for _, gone := range []*link{one, other} {
				r.bring(gone, bodies...)
				r.leave(gone)
			}
			joins := r.join(mark{})
			if n := r.bring(before, "before"); n != 1 {
				t.Error("a link that was there is not read")
			}
			for n := range 17 {
				if full := joins.in.full.Load(); full != (n < tt.freeAt) {
					t.Fatalf("after %d messages the link that joins is blocked: %v; want that until %d", n, full, tt.freeAt)
				}
				if told := goesOn(joins); told != (n > 0 && n == tt.freeAt) {
					t.Fatalf("after %d messages its reader was told to go on: %v", n, told)
				}
				if m := r.recvOne(); m != "before" && m != bodies[0] {
					t.Fatalf("received %q", m)
				}
			}
			if joins.in.full.Load() || len(r.round.links) > 0 || r.orphans.bytes > 0 {
				t.Errorf("blocked: %v, %d links have messages, and orphans hold %d bytes",
					joins.in.full.Load(), len(r.round.links), r.orphans.bytes)
			}
		})
	}
}

// TestBudgetOfUnread: a link that brings something once the budget is used up is not read until an eighth of it is
// free.
func TestBudgetOfUnread(t *testing.T) {
	const each = 10 + queuedFrame
	r := newRig(t, inboxConfig{budget: 16 * each})
	a, b := r.join(mark{}), r.join(mark{})
	r.bring(a, slices.Repeat([]string{"0123456789"}, 15)...)
	if a.in.full.Load() {
		t.Error("below the budget a link is held")
	}
	r.bring(b, "0123456789")
	if a.in.full.Load() || !b.in.full.Load() {
		t.Errorf("held are a: %v, b: %v; want the one that has used the budget up", a.in.full.Load(), b.in.full.Load())
	}
	r.recvOne()
	if goesOn(b) {
		t.Error("it goes on with less than an eighth free")
	}
	r.recvOne()
	if !goesOn(b) || b.in.full.Load() {
		t.Error("it does not go on with an eighth free")
	}
}

// TestBudgetOfParts: messages under way get three quarters of the budget, but the one that is under way for longest
// gets what it needs.
func TestBudgetOfParts(t *testing.T) {
	r := newRig(t, inboxConfig{budget: 1000})
	first, second, third := r.join(mark{}), r.join(mark{}), r.join(mark{})
	for _, s := range []struct {
		name  string
		link  *link
		total int64
		want  bool
	}{
		{"the first", first, 400, true},
		{"the second, within three quarters", second, 350, true},
		{"more of the second", second, 351, false},
		{"the third", third, 1, false},
		{"more of the first, past all of it", first, 2000, true},
	} {
		if got := r.room(s.link, s.total); got != s.want {
			t.Fatalf("%s: %v, want %v", s.name, got, s.want)
		}
	}
	if len(r.scheduled) != 2 || r.scheduled[third] != starvedAfter || r.scheduled[second] != starvedAfter {
		t.Errorf("looked after are %v", slices.Collect(maps.Values(r.scheduled)))
	}
	r.room(first, 0) // it is there
	if !goesOn(second) || !goesOn(third) {
		t.Error("with the first one there the others do not go on")
	}
	if !r.room(second, 600) || r.parts != 600 {
		t.Errorf("%d bytes are under way, want 600", r.parts)
	}
	r.leave(second)
	if r.parts != 0 {
		t.Errorf("%d bytes are under way of a link that has left", r.parts)
	}
}

// TestBudgetCrawl: a message under way that comes more slowly than it has to ends its link, at the first look after a
// whole span.
func TestBudgetCrawl(t *testing.T) {
	for _, tt := range []struct {
		name   string
		come   uint64 // bytes in each span
		paused bool
		late   time.Duration
		want   bool
	}{
		{"as slow as it may be", 3000, false, 0, false},
		{"too slow", 2999, false, 0, true},
		{"not read by this side", 0, true, 0, false},
		{"looked after late", 0, false, rateSpan, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, inboxConfig{budget: 1 << 20, minRate: 100})
			l := r.join(mark{})
			r.room(l, 1<<19)
			if r.scheduled[l] != rateSpan {
				t.Errorf("the first look is after %v", r.scheduled[l])
			}
			l.life.paused.Store(tt.paused)
			for range 4 {
				r.checkRate(l, tt.late)
				r.clock += rateSpan
				l.life.underwayBytes.Add(tt.come)
			}
			if err := r.failed[l]; (err != nil) != tt.want || err != nil && !errors.Is(err, ErrLimit) {
				t.Errorf("it ended with %v", err)
			}
		})
	}
}
