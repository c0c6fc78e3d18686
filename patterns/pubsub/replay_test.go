package pubsub_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/patterns/pubsub"
	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/simnet"
)

// Who subscribes late gets what it asks for of the past, each event once, and then what is published from then on.
func TestLastValuesAndReplay(t *testing.T) {
	type sub struct {
		pattern string
		opt     pubsub.SubscribeOption
	}
	for name, tt := range map[string]struct {
		subs []sub
		want string // an r is a replay
	}{
		"nothing":             {[]sub{{">", nil}}, "a.x=9"},
		"last":                {[]sub{{"a.*", pubsub.Last()}}, "ra.y=2 ra.x=4 a.x=9"},
		"last of all":         {[]sub{{">", pubsub.Last()}}, "ra.y=2 ra.x=4 rb=5 a.x=9"},
		"replay":              {[]sub{{"a.*", pubsub.Replay(2)}}, "ra.x=3 ra.x=4 a.x=9"},
		"replay of what is":   {[]sub{{"#", pubsub.Replay(100)}}, "ra.y=2 ra.x=3 ra.x=4 rb=5 a.x=9"},
		"overlapping last":    {[]sub{{"a.*", pubsub.Last()}, {"*.x", pubsub.Last()}}, "ra.y=2 ra.x=4 a.x=9"},
		"overlapping replays": {[]sub{{"a.*", pubsub.Replay(9)}, {"a.>", pubsub.Replay(9)}}, "ra.y=2 ra.x=3 ra.x=4 a.x=9"},
	} {
		t.Run(name, func(t *testing.T) {
			eachTransport(t, func(t *testing.T, endpoint string) {
				p := closing(t, pubsub.NewPublisher[int](pubsub.WithLastValue(10), pubsub.WithReplay(4, time.Hour)))
				at := bound(t, p, endpoint)
				for i, subject := range []string{"", "a.x", "a.y", "a.x", "a.x", "b"} {
					if i > 0 {
						must(t, p.Publish(within(t), subject, i))
					}
				}
				s := closing(t, pubsub.NewSubscriber[int]())
				for _, b := range tt.subs {
					must(t, s.Subscribe(b.pattern, b.opt))
				}
				must(t, s.Connect(at))
				must(t, p.WaitBindings(within(t), len(tt.subs)))
				must(t, p.WaitSubscribers(within(t), "a.x", 1))
				must(t, p.WaitLive(within(t)))
				must(t, p.Publish(within(t), "a.x", 9))
				var got []string
				for _, e := range take(t, s, len(strings.Fields(tt.want))) {
					flag := ""
					if e.Replay {
						flag = "r"
					}
					got = append(got, fmt.Sprint(flag, e.Subject, "=", e.Value))
					if e.Missed != 0 {
						t.Errorf("%+v", e)
					}
				}
				if strings.Join(got, " ") != tt.want {
					t.Errorf("%v, want %s", got, tt.want)
				}
				if st := s.Stats(); st.Duplicates != 0 {
					t.Errorf("%d events were sent twice, and left out here", st.Duplicates)
				}
			})
		})
	}
}

// What a publisher does not keep, or does not allow, is told; the subscription stands as far as it can.
func TestWhatAPublisherRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		opt  pubsub.SubscribeOption
		code patterns.Code
	}{
		"last":     {pubsub.Last(), patterns.CodeUnimplemented},
		"replay":   {pubsub.Replay(5), patterns.CodeUnimplemented},
		"blocking": {pubsub.Overflow(socket.Block), patterns.CodePermissionDenied},
	} {
		t.Run(name, func(t *testing.T) {
			p := closing(t, pubsub.NewPublisher[int]())
			s := closing(t, pubsub.NewSubscriber[int]())
			must(t, s.Subscribe("a", tt.opt))
			must(t, s.Subscribe("b"))
			must(t, s.Connect(bound(t, p, "tcp://127.0.0.1:*")))
			for e, err := range s.Events(within(t)) {
				if !errors.Is(err, pubsub.ErrRefused) || !errors.Is(err, &patterns.Error{Code: tt.code}) {
					t.Errorf("%+v, %v", e, err)
				}
				break
			}
			must(t, p.WaitSubscribers(within(t), "b", 1))
			must(t, p.Publish(within(t), "b", 1))
			if got := values(take(t, s, 1)); !slices.Equal(got, []string{"b=1"}) {
				t.Errorf("%v", got)
			}
		})
	}
}

// cutoff ends all connections of a publisher; those who connect come back.
func cutoff(t *testing.T, p *pubsub.Publisher[int]) {
	t.Helper()
	for _, s := range p.Socket().Stats().Peers {
		must(t, p.Socket().DisconnectPeer(s.Peer))
	}
}

// Behind a lost connection a subscriber does not know what it has missed, unless nothing was published meanwhile, or it
// has asked for replays and the publisher has them.
func TestReconnect(t *testing.T) {
	for name, tt := range map[string]struct {
		opt     pubsub.SubscribeOption
		keeps   int
		before  int // published before, and told by a beat
		open    int // published before, without a beat
		between int
		came    int
		missed  int
	}{
		"nothing was published": {nil, 0, 5, 0, 0, 5, 0},
		"something was":         {nil, 0, 5, 0, 7, 5, -1},
		"nobody knows":          {nil, 0, 5, 3, 0, 8, -1},
		"replayed":              {pubsub.Replay(1), 100, 5, 3, 7, 15, 0},
		"replayed in part":      {pubsub.Replay(1), 4, 5, 0, 7, 8, -1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				net := simnet.New(simnet.Config{})
				p := closing(t, pubsub.NewPublisher[int](pubsub.WithReplay(tt.keeps, 0), pubsub.WithXPub(
					socket.WithTransport(net.Host("srv")))))
				s := closing(t, pubsub.NewSubscriber[int](pubsub.WithXSub(socket.WithTransport(net.Host("cli")))))
				bound(t, p, server)
				must(t, s.Subscribe("a", tt.opt))
				must(t, s.Connect(server))
				must(t, p.WaitBindings(t.Context(), 1))
				must(t, p.WaitLive(t.Context()))
				n := 0
				publish := func(count int) {
					for range count {
						n++
						must(t, p.Publish(t.Context(), "a", n))
					}
				}
				publish(tt.before)
				time.Sleep(3 * time.Second)
				publish(tt.open)
				synctest.Wait()
				cutoff(t, p)
				must(t, p.WaitBindings(t.Context(), 0))
				publish(tt.between)
				must(t, p.WaitBindings(t.Context(), 1))
				must(t, p.Publish(t.Context(), "a", 1000))
				var got []int
				missed := 0
				for e, err := range s.Events(within(t)) {
					must(t, err)
					if missed = add(missed, e.Missed); e.Value == 1000 {
						break
					}
					got = append(got, e.Value)
				}
				if !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != tt.came ||
					len(got) != tt.came || missed != tt.missed {
					t.Errorf("%v, %d missed; want %d and %d missed", got, missed, tt.came, tt.missed)
				}
				if st := s.Stats(); int(st.Duplicates) != map[bool]int{true: tt.open}[tt.keeps > 4] {
					t.Errorf("%+v", st)
				}
			})
		})
	}
}

func add(a, b int) int {
	if a < 0 || b < 0 {
		return -1
	}
	return a + b
}

// A policy is that of the subscriber's connection: with Conflate the newest comes, however much is dropped.
func TestOverflow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, s := simulated(t, simnet.New(simnet.Config{}), 10)
		must(t, s.Subscribe("a", pubsub.Overflow(socket.Conflate)))
		must(t, p.WaitBindings(t.Context(), 1))
		const last = 20_000
		for i := range last {
			must(t, p.Publish(t.Context(), "a", i+1))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		newest, came := 0, 0
		for e, err := range s.Events(ctx) {
			if err == nil {
				newest = e.Value
				came++
			}
		}
		if newest != last || came == last {
			t.Errorf("the newest of %d that came is %d of %d", came, newest, last)
		}
	})
}
