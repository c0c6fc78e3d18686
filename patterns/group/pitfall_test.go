package group

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/socket"
)

// Who shouts and goes at once has been heard by the time that he has gone.
func TestPitfall01GoneBeforeTheLastWord(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		rounds := 1000
		if strings.HasPrefix(endpoint, "tcp") {
			rounds = 100
		}
		ann := a(t, "ann")
		must(t, ann.Join("g"))
		at := bind(t, ann, endpoint)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range rounds {
				bob := New[string]("bob")
				err := errors.Join(bob.Connect(at), bob.WaitPeers(within(t), "g", 1))
				for n := range 3 {
					err = errors.Join(err, bob.Shout(within(t), "g", fmt.Sprint(n)))
				}
				if err := errors.Join(err, bob.Shutdown(within(t))); err != nil {
					t.Error(err)
				}
			}
		}()
		heard := make(map[*Peer]string)
		exits := 0
		for e, err := range ann.Events(within(t)) {
			must(t, err)
			if e.Kind == Shout {
				heard[e.Peer] += e.Value + ","
			}
			if e.Kind != Exited {
				continue
			}
			if got := heard[e.Peer]; got != "0,1,2," {
				t.Fatalf("one who is gone has said %q", got)
			}
			if exits++; exits == rounds {
				break
			}
		}
		<-done
	})
}

// One that does not take what comes holds up nobody else; Shout says that it has not got it. And it misses nothing of
// what a member says of itself.
func TestPitfall05SlowPeer(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		ann, slow, quick := a(t, "ann"), a(t, "slow", WithRouter(socket.WithRecvHWM(1))), a(t, "quick")
		at := bind(t, ann, endpoint)
		for _, m := range []*Member[string]{slow, quick} {
			m.core.listening.Store(true) // from now on nothing is thrown away
			must(t, m.Join("g"))
			must(t, m.Connect(at))
		}
		must(t, ann.WaitPeers(within(t), "g", 2))
		events(t, quick, "entered ann")
		want := []string{"entered ann"} // of slow
		said := strings.Repeat("x", 20_000)
		for missed := 0; missed < 3; {
			err := ann.Shout(over(t), "g", said)
			events(t, quick, "shout ann g "+said)
			if err == nil {
				want = append(want, "shout ann g "+said)
			} else if missed++; !strings.Contains(err.Error(), "1 of 2 have not got it") || !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
		}
		must(t, ann.Join("h")) // does not wait
		must(t, ann.Leave("h"))
		events(t, quick, "joined ann h", "left ann h")
		events(t, slow, append(want, "joined ann h", "left ann h")...)
	})
}

// What a program in another language may send for a value is an error of that one event.
func TestPitfall16Bodies(t *testing.T) {
	type value struct {
		N    uint8
		When time.Time
		Tags []string
	}
	ann := typed[value](t, "ann")
	must(t, ann.Join("g"))
	r := newRaw(t, bind(t, ann, "inproc://"+t.Name()))
	r.hello("bob")
	for _, tt := range []struct {
		name, body string
		bad        bool
	}{
		{"nothing", "", false},
		{"nil", "\xc0", false},
		{"an empty map", "\x80", false},
		{"a field that is not known", "\x81\xa1z\x01", false},
		{"nil for a time", "\x81\xa4When\xc0", true},
		{"a number", "\x01", true},
		{"text for a number", "\x81\xa1N\xa11", true},
		{"cut short", "\x81\xa1N", true},
		{"more than one value", "\x80\x80", true},
		{"an array of 2^32-1", "\x81\xa4Tags\xdd\xff\xff\xff\xff", true},
		{"nested deeply", strings.Repeat("\x91", 100_000), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r.says(patterns.Head{Method: "g"}, []byte(tt.body)...)
			r.says(patterns.Head{Method: "g"}, 0x81, 0xa1, 'N', 7)
			first := true
			for e, err := range ann.Events(within(t)) {
				if e.Kind == Entered {
					continue
				}
				if e.Kind != Shout || e.Group != "g" || e.Peer.Name != "bob" || (err != nil) != (first && tt.bad) {
					t.Fatalf("%+v, %v", e, err)
				}
				if !first {
					if e.Value.N != 7 {
						t.Error(e.Value)
					}
					break
				}
				first = false
			}
		})
	}
}

// Loops over events may be left, begun again and put into each other: each event comes once.
func TestPitfall17Loops(t *testing.T) {
	ann, bob := a(t, "ann"), a(t, "bob")
	meet(t, ann, bob, "inproc://"+t.Name())
	for i := range 6 {
		must(t, bob.Whisper(within(t), the(t, bob, "ann"), fmt.Sprint(i)))
	}
	var got []string
	func() {
		defer func() { got = append(got, fmt.Sprint(recover())) }()
		for e, err := range ann.Events(within(t)) {
			must(t, err)
			got = append(got, e.Value)
			for e, err := range ann.Events(within(t)) {
				must(t, err)
				got = append(got, e.Value)
				break
			}
			if len(got) == 4 {
				panic("in the loop")
			}
		}
	}()
	for e, err := range ann.Events(within(t)) {
		must(t, err)
		if got = append(got, e.Value); e.Value == "5" {
			break
		}
	}
	if g := fmt.Sprintf("%q", got); g != `["" "0" "1" "2" "in the loop" "3" "4" "5"]` {
		t.Error(g)
	}
}

// Zero values of all types that may be said come as what they are.
func TestPitfall18ZeroValues(t *testing.T) {
	t.Run("any", func(t *testing.T) { says[any](t, nil) })
	t.Run("bytes", func(t *testing.T) { says[[]byte](t, nil) })
	t.Run("struct", func(t *testing.T) { says(t, struct{}{}) })
	t.Run("pointer", func(t *testing.T) { says[*int](t, nil) })
	t.Run("bytes codec", func(t *testing.T) { says(t, "", WithCodec(patterns.Bytes())) })
	t.Run("json codec", func(t *testing.T) { says[any](t, nil, WithCodec(patterns.JSON())) })
}

func says[T any](t *testing.T, v T, opts ...Option) {
	long := strings.Repeat("g", maxName)
	ann, bob := typed[T](t, "", opts...), typed[T](t, strings.Repeat("n", 300), opts...)
	must(t, ann.Join(long))
	meet(t, ann, bob, "inproc://"+t.Name())
	must(t, bob.WaitPeers(within(t), long, 1))
	must(t, bob.Shout(within(t), long, v))
	for e, err := range ann.Events(within(t)) {
		must(t, err)
		if e.Kind == Entered && e.Peer.Name != strings.Repeat("n", maxName) {
			t.Error(e.Peer)
		}
		if e.Kind == Shout {
			if got, want := fmt.Sprintf("%#v", e.Value), fmt.Sprintf("%#v", v); got != want && len(fmt.Sprint(v)) > 2 {
				t.Errorf("got %s, want %s", got, want)
			}
			break
		}
	}
}
