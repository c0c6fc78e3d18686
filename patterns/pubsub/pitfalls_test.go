package pubsub_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/patterns/pubsub"
	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/proxy"
)

// forwarded returns an endpoint behind a proxy whose XSUB is connected to another.
func forwarded(t *testing.T, at string) string {
	t.Helper()
	in, out := closing(t, socket.NewXSub()), closing(t, socket.NewXPub())
	must(t, in.Connect(at))
	behind, err := out.Bind(within(t), "tcp://127.0.0.1:*")
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = proxy.Run(ctx, in, out)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return behind
}

// TestPitfallPrefixOfAWildcard: patterns that begin with a wildcard have no literal beginning. From a publisher of ours
// nothing else comes because of that, from others everything, which is filtered, and counted.
func TestPitfallPrefixOfAWildcard(t *testing.T) {
	for _, pattern := range []string{"*.x", ">", "#"} {
		t.Run(pattern, func(t *testing.T) {
			p := closing(t, pubsub.NewPublisher[int]())
			at := bound(t, p, "tcp://127.0.0.1:*")
			direct, behind := closing(t, pubsub.NewSubscriber[int]()), closing(t, pubsub.NewSubscriber[int]())
			subscribe(t, p, direct, at, pattern)
			must(t, behind.Subscribe(pattern))
			must(t, behind.Connect(forwarded(t, at)))
			must(t, p.WaitSubscribers(within(t), "a.x", 2))
			for i, subject := range []string{"a.y", "a.x", "a", "b.x"} {
				must(t, p.Publish(within(t), subject, i))
			}
			want, filtered := []string{"a.x=1", "b.x=3"}, uint64(2)
			if pattern != "*.x" {
				want, filtered = []string{"a.y=0", "a.x=1", "a=2", "b.x=3"}, 0
			}
			for name, s := range map[string]*pubsub.Subscriber[int]{"directly": direct, "behind a proxy": behind} {
				if got := values(take(t, s, len(want))); !slices.Equal(got, want) {
					t.Errorf("%s: %v, want %v", name, got, want)
				}
			}
			if d, b := direct.Stats().Filtered, behind.Stats().Filtered; d != 0 || b != filtered {
				t.Errorf("filtered %d directly and %d behind a proxy, want 0 and %d", d, b, filtered)
			}
		})
	}
}

// TestPitfallBeatsBehindAProxy: beats are not for those behind a proxy, to whom they would say that all was missed that
// others wanted.
func TestPitfallBeatsBehindAProxy(t *testing.T) {
	p := closing(t, pubsub.NewPublisher[int](pubsub.WithBeat(time.Millisecond)))
	behind := forwarded(t, bound(t, p, "tcp://127.0.0.1:*"))
	a, b := closing(t, pubsub.NewSubscriber[int]()), closing(t, pubsub.NewSubscriber[int]())
	must(t, a.Subscribe("a.*"))
	must(t, a.Connect(behind))
	must(t, b.Subscribe("*.b"))
	must(t, b.Connect(behind))
	must(t, p.WaitBindings(within(t), 2)) // the two beginnings
	const events = 50
	for i := range events {
		must(t, p.Publish(within(t), "a.b", i))
		must(t, p.Publish(within(t), "a.c", i))
		must(t, p.Publish(within(t), "c.b", i))
	}
	for _, s := range []*pubsub.Subscriber[int]{a, b} {
		for _, e := range take(t, s, 2*events) {
			if e.Missed != 0 {
				t.Fatalf("%+v", e)
			}
		}
		if m := s.Stats().Missed; m != 0 {
			t.Errorf("%d missed", m)
		}
	}
}

// TestPitfallHostilePatterns: a peer with as many patterns as it can think of gets a thousand with wildcards, is told
// about the others, and holds up nobody.
func TestPitfallHostilePatterns(t *testing.T) {
	p := closing(t, pubsub.NewPublisher[int]())
	at := bound(t, p, "tcp://127.0.0.1:*")
	hostile := closing(t, socket.NewXSub(socket.WithMetadata("X-Yodel-Pattern", "sub/1")))
	must(t, hostile.Connect(at))
	for i := range 5000 {
		var tokens [16]string
		for j := range tokens {
			tokens[j] = []string{"a", "*"}[i>>j&1]
		}
		must(t, hostile.Subscribe(pubsub.Topic(strings.Join(tokens[:], "."))))
	}
	for _, topic := range []string{"\x00", "\x00\x81\xa1s\xa3...", "\x00\xdf\xff\xff\xff\xff", pubsub.Topic("end")} {
		must(t, hostile.Subscribe(topic))
	}
	must(t, p.WaitSubscribers(within(t), "end", 1))
	if n := len(p.Bindings()); n != 1002 { // with that without wildcards and the end
		t.Errorf("%d patterns", n)
	}
	refused := 0
	for refused < 100 { // it takes so many while its queue has room
		m, err := hostile.Recv(within(t))
		must(t, err)
		if strings.Contains(fmt.Sprintf("%s", m.Frames), "too many patterns with wildcards") {
			refused++
		}
	}
	good := closing(t, pubsub.NewSubscriber[int]())
	subscribe(t, p, good, at, strings.TrimSuffix(strings.Repeat("a.", 16), "."))
	must(t, p.Publish(within(t), strings.TrimSuffix(strings.Repeat("a.", 16), "."), 1))
	take(t, good, 1)
}

// TestHostileUpstream: what a peer says of events that it has not, on connections that it has not, and what is no head
// at all, changes nothing.
func TestHostileUpstream(t *testing.T) {
	p := closing(t, pubsub.NewPublisher[int]())
	at := bound(t, p, "tcp://127.0.0.1:*")
	s := member[int, int](t, p, at, "a", "g")
	hostile := closing(t, socket.NewXSub(socket.WithMetadata("X-Yodel-Pattern", "sub/1")))
	must(t, hostile.Connect(at))
	must(t, hostile.Subscribe(pubsub.Topic("end")))
	must(t, p.WaitSubscribers(within(t), "end", 1))
	must(t, p.Publish(within(t), "a", 1))
	for number := range uint64(4) {
		for kind := range uint64(16) {
			must(t, hostile.Send(within(t), socket.NewMsg(pubsub.Upstream(kind, number))))
		}
	}
	for _, b := range []string{"", "\x80", "\x91", "junk", "\xdf\xff\xff\xff\xff", "\x81\xa1k\xcd\x01\x00"} {
		must(t, hostile.Send(within(t), socket.Text(b)))
	}
	must(t, hostile.Subscribe(pubsub.Topic("end2")))
	must(t, p.WaitSubscribers(within(t), "end2", 1))
	if got := values(take(t, s, 1)); !slices.Equal(got, []string{"a=1"}) {
		t.Errorf("%v", got)
	}
}
