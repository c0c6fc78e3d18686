package zmqcompat_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/yodel-mq/yodel/socket"
	zmq4 "github.com/yodel-mq/yodel/socket/zmqcompat"
)

// TestTopics: both ends list what is subscribed to, sorted, each once, and less when a subscriber leaves.
func TestTopics(t *testing.T) {
	for _, typ := range []zmq4.SocketType{zmq4.Pub, zmq4.XPub} {
		for scheme, endpoint := range endpoints(t) {
			t.Run(string(typ)+" over "+scheme, func(t *testing.T) {
				pub := ours(typ)(t)
				ep := listenAt(t, pub, endpoint)
				var want []string
				var subs []zmq4.Socket
				for _, topic := range []string{"", "a", "b", "c", "2", "A_2", "a"} {
					sub := ours(zmq4.Sub)(t)
					dial(t, sub, ep)
					check(t, sub.SetOption(zmq4.OptionSubscribe, topic))
					wantTopics(t, sub, topic)
					if topic != "a" || !slices.Contains(want, topic) {
						want = append(want, topic)
					}
					slices.Sort(want)
					wantTopics(t, pub, want...)
					subs = append(subs, sub)
				}
				check(t, subs[1].Close()) // another one has "a" still
				check(t, subs[3].Close())
				check(t, subs[4].SetOption(zmq4.OptionUnsubscribe, "2"))
				wantTopics(t, pub, "", "A_2", "a", "b")
				wantTopics(t, subs[4])
			})
		}
	}
}

func wantTopics(t *testing.T, s zmq4.Socket, want ...string) {
	t.Helper()
	var got []string
	defer func() {
		if t.Failed() {
			t.Logf("topics of the %s: %q, want %q", s.Type(), got, want)
		}
	}()
	eventually(t, func() bool {
		got = s.(zmq4.Topics).Topics()
		return slices.Equal(got, want)
	})
}

func TestTopicsOnlyWhereThereAreSome(t *testing.T) {
	for typ, construct := range constructors {
		_, has := construct(t.Context()).(zmq4.Topics)
		if want := typ == zmq4.Pub || typ == zmq4.Sub || typ == zmq4.XPub; has != want {
			t.Errorf("%s has topics: %v, want %v", typ, has, want)
		}
	}
}

// TestXPubShowsSubscriptions: the first of all peers and the last to cancel, whether Topics was asked in between or
// not, and what an XSUB sends upstream.
func TestXPubShowsSubscriptions(t *testing.T) {
	for _, ask := range []bool{false, true} {
		for scheme, endpoint := range endpoints(t) {
			name := scheme
			if ask {
				name += " with Topics"
			}
			t.Run(name, func(t *testing.T) {
				xpub := ours(zmq4.XPub)(t)
				ep := listenAt(t, xpub, endpoint)
				a, b := ours(zmq4.XSub)(t), ours(zmq4.XSub)(t)
				dial(t, a, ep)
				dial(t, b, ep)
				send(t, a, "\x01x")
				subscribed(t, xpub, "x", 1)
				send(t, b, "\x01x")
				subscribed(t, xpub, "x", 2)
				if ask {
					wantTopics(t, xpub, "x")
				}
				wantFrames(t, xpub, "\x01x")
				send(t, a, "upstream")
				wantFrames(t, xpub, "upstream")
				send(t, a, "\x00x")
				check(t, b.Close())
				if ask {
					wantTopics(t, xpub)
				}
				wantFrames(t, xpub, "\x00x")
			})
		}
	}
}

// TestPrefixes: a subscriber gets what begins with one of its prefixes, and "" is everything.
func TestPrefixes(t *testing.T) {
	tests := map[string][]string{
		"":    {"anything", "MSG 1", "msg 2", "end"},
		"MSG": {"MSG 1", "end"},
		"msg": {"msg 2", "end"},
	}
	pub := ours(zmq4.Pub)(t)
	ep := listen(t, pub)
	subs := map[string]zmq4.Socket{}
	for prefix := range tests {
		sub := ours(zmq4.Sub)(t)
		dial(t, sub, ep)
		check(t, sub.SetOption(zmq4.OptionSubscribe, []byte("end")))
		send(t, sub, "\x01"+prefix) // the original's SUB can subscribe so too
		subs[prefix] = sub
	}
	subscribed(t, pub, "end", 3)
	subscribed(t, pub, "MSG", 2)
	subscribed(t, pub, "msg", 2)
	for _, m := range tests[""] {
		send(t, pub, m)
	}
	for prefix, want := range tests {
		for _, m := range want {
			wantFrames(t, subs[prefix], m)
		}
	}
}

// TestPubSubClosedSub: a subscriber that leaves never disturbs the publisher.
func TestPubSubClosedSub(t *testing.T) {
	pub := ours(zmq4.Pub)(t)
	ep := listen(t, pub)
	stays, leaves := ours(zmq4.Sub)(t), ours(zmq4.Sub)(t)
	for _, sub := range []zmq4.Socket{stays, leaves} {
		dial(t, sub, ep)
		check(t, sub.SetOption(zmq4.OptionSubscribe, "m"))
	}
	subscribed(t, pub, "m", 2)
	for i := range 200 {
		send(t, pub, "m")
		if i == 100 {
			check(t, leaves.Close())
		}
	}
	for range 200 {
		wantFrames(t, stays, "m")
	}
}

func TestSetOption(t *testing.T) {
	tests := []struct {
		name   string
		typ    zmq4.SocketType
		option string
		value  any
		ok     bool
	}{
		{"subscribe", zmq4.Sub, zmq4.OptionSubscribe, "a", true},
		{"subscribe, bytes", zmq4.Sub, zmq4.OptionSubscribe, []byte("a"), true},
		{"subscribe, XSUB", zmq4.XSub, zmq4.OptionSubscribe, "a", true},
		{"subscribe, number", zmq4.Sub, zmq4.OptionSubscribe, 1, false},
		{"subscribe, nil", zmq4.Sub, zmq4.OptionSubscribe, nil, false},
		{"subscribe, PUB", zmq4.Pub, zmq4.OptionSubscribe, "a", false},
		{"subscribe, PUSH", zmq4.Push, zmq4.OptionSubscribe, "a", false},
		{"unsubscribe what was not", zmq4.Sub, zmq4.OptionUnsubscribe, "a", true},
		{"hwm", zmq4.Pub, zmq4.OptionHWM, 10, true},
		{"hwm, none", zmq4.Pub, zmq4.OptionHWM, 0, true},
		{"hwm, PULL", zmq4.Pull, zmq4.OptionHWM, 10, true},
		{"hwm, negative", zmq4.Pub, zmq4.OptionHWM, -1, false},
		{"hwm, string", zmq4.Pub, zmq4.OptionHWM, "10", false},
		{"unknown", zmq4.Push, "LINGER", 10, false},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			s := ours(tc.typ)(t)
			err := s.SetOption(tc.option, tc.value)
			got, getErr := s.GetOption(tc.option)
			if !tc.ok {
				wantErr(t, err, zmq4.ErrBadProperty)
				if tc.option == zmq4.OptionHWM {
					if got != 1000 || getErr != nil {
						t.Errorf("the high-water mark is %v, %v, want the default", got, getErr)
					}
					return
				}
				wantErr(t, getErr, zmq4.ErrBadProperty)
				return
			}
			check(t, err)
			check(t, getErr)
			if want := tc.value; !equal(got, want) {
				t.Errorf("got %v back, want %v", got, want)
			}
		})
	}
}

func equal(a, b any) bool {
	if x, ok := a.([]byte); ok {
		y, ok := b.([]byte)
		return ok && slices.Equal(x, y)
	}
	return a == b
}

func TestSubscriptionsAreCounted(t *testing.T) {
	sub := ours(zmq4.Sub)(t)
	for range 2 {
		check(t, sub.SetOption(zmq4.OptionSubscribe, "a"))
	}
	check(t, sub.SetOption(zmq4.OptionUnsubscribe, "a"))
	wantTopics(t, sub, "a")
	send(t, sub, "\x00a")
	wantTopics(t, sub)
	if err := sub.SetOption(zmq4.OptionHWM, 5); !errors.Is(err, zmq4.ErrBadProperty) {
		t.Errorf("the high-water mark was set after the first use: %v", err)
	}
}

// TestPubHWM: a subscriber that does not read misses what is over the mark, for it alone, and each miss is counted.
func TestPubHWM(t *testing.T) {
	pub, sub := ours(zmq4.Pub)(t), ours(zmq4.Sub)(t)
	check(t, pub.SetOption(zmq4.OptionHWM, 10))
	check(t, sub.SetOption(zmq4.OptionHWM, 10))
	check(t, sub.SetOption(zmq4.OptionSubscribe, ""))
	dial(t, sub, listenAt(t, pub, endpoints(t)["inproc"])) // no kernel to hold more
	subscribed(t, pub, "", 1)
	for range 100 {
		send(t, pub, "m")
	}
	stats := zmq4.Engine(pub).Stats()
	check(t, stats.Check())
	if d, q := stats.Delivered.Messages, stats.Dropped[socket.QueueFull].Messages; d != 20 || q != 80 {
		t.Errorf("%d delivered and %d dropped, want 20 and 80", d, q)
	}
}
