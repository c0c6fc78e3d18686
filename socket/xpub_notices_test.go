package socket

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"
	"weak"
)

// A noticed is an XPub with peers that do nothing but subscribe, and what its application believes.
type noticed struct {
	*XPub
	t        *testing.T
	believes map[subscriptionKey]bool
	read     int
}

func newNoticed(t *testing.T, opts ...XPubOption) *noticed {
	x := &noticed{NewXPub(opts...), t, make(map[subscriptionKey]bool), 0}
	t.Cleanup(func() { _ = x.Close() })
	return x
}

func (x *noticed) join() *link {
	l := &link{core: x.core, peer: &Peer{Type: "SUB"}, ep: &endpointState{}}
	l.initOut(&x.out)
	l.carrier = &wire{l}
	l.in.ready = true
	l.in.notices = &noticeList{owner: l}
	return l
}

// change is "+topic" or "-topic".
func (x *noticed) change(l *link, what string) error {
	return x.subs.request(l, what[0] == '+', []byte(what[1:]))
}

func (x *noticed) leave(l *link) {
	x.out.mu.Lock()
	l.out.dead = true
	x.out.mu.Unlock()
	x.subs.forget(l)
}

// look has the application read up to n notices.
func (x *noticed) look(n int) (all []string) {
	x.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for ; n > 0; n-- {
		m, err := x.Recv(ctx)
		if err != nil {
			break
		}
		sub, ok := ParseSubscription(m)
		if !ok {
			x.t.Fatalf("received %s", m)
		}
		h := subscriptionKey{topic: sub.Topic}
		if x.subs.notices.perPeer {
			h.by = sub.Peer
		}
		switch {
		case !sub.Add && !x.believes[h]:
			x.t.Fatalf("told of the end of %q, of which it had not heard", sub.Topic)
		case sub.Add && x.believes[h] && !x.subs.notices.repeats:
			x.t.Fatalf("told twice of %q", sub.Topic)
		}
		if sub.Add {
			x.believes[h] = true
		} else {
			delete(x.believes, h)
		}
		x.read++
		all = append(all, map[bool]string{true: "+", false: "-"}[sub.Add]+sub.Topic)
	}
	if err := x.Stats().Check(); err != nil {
		x.t.Fatal(err)
	}
	return all
}

func (x *noticed) believed() (topics []string) {
	set := make(map[string]bool)
	for h := range x.believes {
		set[h.topic] = true
	}
	return slices.Sorted(maps.Keys(set))
}

// wanted is what is subscribed to, or under WithManual what was asked for.
func (x *noticed) wanted() []string {
	set := make(map[string]bool)
	for _, t := range x.Topics() {
		set[t] = true
	}
	for _, topics := range x.subs.asked {
		for t := range topics {
			set[t] = true
		}
	}
	return slices.Sorted(maps.Keys(set))
}

var verbosities = []struct {
	name string
	opts []XPubOption
}{
	{"FirstAndLast", nil},
	{"EverySubscription", []XPubOption{WithVerbosity(EverySubscription)}},
	{"EveryChange", []XPubOption{WithVerbosity(EveryChange)}},
	{"WithManual", []XPubOption{WithManual()}},
}

// TestXPubApplicationBelievesWhatIsTrue: whatever peers do and however seldom the application looks, once it has read
// everything it knows what is subscribed to; and what waits for it is bounded.
func TestXPubApplicationBelievesWhatIsTrue(t *testing.T) {
	const peers, topics, mark1, mark2 = 8, 6, 100, 30
	for _, c := range verbosities {
		for name, often := range map[string]int{
			"reads at once": 1, "reads now and then": 20, "hardly ever reads": 5000, "never reads": 1 << 30,
		} {
			t.Run(c.name+"/"+name, func(t *testing.T) {
				x := newNoticed(t, append(c.opts, WithLimits(Limits{MaxSubscriptions: 1_000_000}))...)
				n := x.subs.notices
				n.mark.messages, n.fewer.messages = mark1, mark2
				rnd := rand.New(rand.NewPCG(7, uint64(often)))
				links := make([]*link, peers)
				for i := range 20_000 {
					l := &links[rnd.IntN(peers)]
					switch {
					case *l == nil:
						*l = x.join()
					case rnd.IntN(20) == 0:
						x.leave(*l)
						*l = nil
					default:
						what := []string{"+", "-"}[rnd.IntN(2)] + fmt.Sprint(rnd.IntN(topics))
						if err := x.change(*l, what); err != nil {
							t.Fatal(err)
						}
					}
					if rnd.IntN(often) == 0 {
						x.look(1 + rnd.IntN(5))
					}
					// Beyond the mark nothing waits but what is needed for what holds or is believed.
					if have := n.waiting.Messages; have > uint64(mark1+2*peers*topics+len(x.believes)) {
						t.Fatalf("after %d changes %d notices wait", i, have)
					}
				}
				x.look(1 << 30)
				if got, want := x.believed(), x.wanted(); !slices.Equal(got, want) {
					t.Fatalf("the application believes in %q, true is %q", got, want)
				}
				for _, l := range links {
					if l != nil {
						x.leave(l)
					}
				}
				x.look(1 << 30)
				if got := x.believed(); len(got) != 0 || len(n.facts) != 0 || n.waiting != (Count{}) {
					t.Fatalf("once all have gone the application believes in %q; %d facts, %v notices", got, len(n.facts), n.waiting)
				}
			})
		}
	}
}

// TestXPubNoticesOfSeveralPeers: receiving is fair, so that the end of a topic may have its turn before its beginning.
func TestXPubNoticesOfSeveralPeers(t *testing.T) {
	for _, c := range verbosities {
		t.Run(c.name, func(t *testing.T) {
			x := newNoticed(t, c.opts...)
			busy, quick := x.join(), x.join()
			for i := range 50 {
				_ = x.change(busy, fmt.Sprint("+", i))
			}
			for _, change := range []struct {
				l    *link
				what string
			}{{busy, "+A"}, {quick, "+A"}, {busy, "-A"}, {quick, "-A"}, {quick, "+B"}, {busy, "+B"}, {quick, "-B"}} {
				if err := x.change(change.l, change.what); err != nil {
					t.Fatal(err)
				}
			}
			x.look(1 << 30)
			if got, want := x.believed(), x.wanted(); !slices.Equal(got, want) || len(want) != 51 {
				t.Fatalf("the application believes in %q, true is %q", got, want)
			}
		})
	}
}

// TestXPubCancellationsOfAPeerThatIsCutOff reach the application, however many changes it has not looked at.
func TestXPubCancellationsOfAPeerThatIsCutOff(t *testing.T) {
	for _, c := range verbosities {
		t.Run(c.name, func(t *testing.T) {
			x := newNoticed(t, append(c.opts, WithLimits(Limits{MaxSubscriptions: 100}))...)
			l := x.join()
			for i := range 50 {
				_ = x.change(l, fmt.Sprint("+important ", i))
			}
			x.look(25) // of all 50
			flaps := 0
			for err := error(nil); err == nil; flaps++ {
				if err = x.change(l, "+x"); err == nil {
					err = x.change(l, "-x")
				}
				if flaps > 10_000 {
					t.Fatal("it is not cut off")
				}
			}
			x.leave(l)
			x.look(1 << 30)
			if got := x.believed(); len(got) != 0 || len(x.wanted()) != 0 {
				t.Fatalf("the application believes in %q for ever", got)
			}
		})
	}
}

// TestXPubThatNobodyReadsKeepsNoPeer: clients come and go; what waits for an application that never looks is bounded
// over all of them, and keeps no link.
func TestXPubThatNobodyReadsKeepsNoPeer(t *testing.T) {
	for _, c := range verbosities {
		t.Run(c.name, func(t *testing.T) {
			xpub := NewXPub(c.opts...)
			defer xpub.Close()
			at := "inproc://" + t.Name()
			if _, err := xpub.Bind(t.Context(), at); err != nil {
				t.Fatal(err)
			}
			const clients = 700
			links := make([]weak.Pointer[link], 0, clients)
			for i := range clients {
				sub := NewSub(WithSubscription(fmt.Sprint("client ", i), "all of them have this"))
				if err := sub.Connect(at); err != nil {
					t.Fatal(err)
				}
				for len(links) == i {
					for _, l := range xpub.snapshot() {
						xpub.in.mu.Lock()
						if l.in.counts.received.Messages == 2 {
							links = append(links, weak.Make(l))
						}
						xpub.in.mu.Unlock()
					}
					runtime.Gosched()
				}
				if err := sub.Close(); err != nil {
					t.Fatal(err)
				}
				for len(xpub.snapshot()) > 0 {
					runtime.Gosched()
				}
				if n := xpub.Stats().Unread.Messages; n > defaultHWM+10 {
					t.Fatalf("after %d clients %d notices wait", i, n)
				}
			}
			if xpub.Stats().Unread.Messages == 0 {
				t.Fatal("nothing waits")
			}
			for deadline := time.Now().Add(30 * time.Second); ; {
				runtime.GC()
				kept := 0
				for _, l := range links {
					if l.Value() != nil {
						kept++
					}
				}
				if kept <= 2 { // what a goroutine had on its stack last
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("%d links of %d are kept", kept, clients)
				}
			}
		})
	}
}

// TestLeaveWhileClosing: a peer may leave while the XPub closes, which the race detector has to find nothing about.
func TestLeaveWhileClosing(t *testing.T) {
	for range 100 {
		x := newNoticed(t)
		l := x.join()
		must(t, x.change(l, "+topic"))
		var both sync.WaitGroup
		both.Go(x.in.close)
		both.Go(func() { x.leave(l) })
		both.Wait()
		if err := x.Stats().Check(); err != nil {
			t.Fatal(err)
		}
	}
}
