package group

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/simnet"
)

func on(net *simnet.Network, host string) Option {
	return WithRouter(socket.WithTransport(net.Host(host)))
}

// Two that are connected both ways, and one connection or the other is cut again and again, at any moment: what each
// hears is in order, has gaps only where the other has exited and entered, and goes on.
func TestCuts(t *testing.T) {
	for _, latency := range []time.Duration{0, time.Millisecond, 7 * time.Millisecond} {
		t.Run(latency.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { cuts(t, latency) })
		})
	}
}

func cuts(t *testing.T, latency time.Duration) {
	const rounds, each, last = 40, 20, "last"
	net := simnet.New(simnet.Config{Latency: latency, Seed: 1})
	ann, bob := a(t, "ann", on(net, "a")), a(t, "bob", on(net, "b"))
	all := []*Member[string]{ann, bob}
	bind(t, ann, "sim://at-ann")
	bind(t, bob, "sim://at-bob")
	must(t, ann.Connect("sim://at-bob"))
	must(t, bob.Connect("sim://at-ann"))
	must(t, ann.Join("g"))
	must(t, bob.Join("g"))
	heard := make([]chan []string, len(all))
	for i, m := range all {
		must(t, m.WaitPeers(within(t), "g", 1))
		heard[i] = make(chan []string, 1)
		go func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			heard[i] <- follow(ctx, m, last)
		}()
	}
	said := make([][]string, len(all)) // by each, while the other was there for it
	say := func(v string) {
		for i, m := range all {
			synctest.Wait() // so that nothing happens between the two
			if len(m.Peers("g")) > 0 {
				said[i] = append(said[i], v)
			}
			must(t, m.Shout(within(t), "g", v))
		}
	}
	for n := range rounds * each {
		say(strconv.Itoa(n))
		time.Sleep(time.Millisecond)
		switch n % each {
		case 3 + n/each%each/2: // another moment in each round
			if net.Cut([]string{"at-ann", "at-bob"}[n/each%2]) == 0 {
				t.Error("there was nothing to cut")
			}
		case each - 1:
			time.Sleep(5 * time.Second) // all is connected again
		}
	}
	say(last)
	for i := range all {
		if err := compare(<-heard[i], said[1-i]); err != nil {
			t.Errorf("%s: %v", all[i].Name(), err)
		}
	}
}

// follow returns what a member is told, until it hears the last.
func follow(ctx context.Context, m *Member[string], last string) (heard []string) {
	for e, err := range m.Events(ctx) {
		switch {
		case err != nil:
			return append(heard, err.Error())
		case e.Kind == Shout:
			heard = append(heard, e.Value)
		case e.Kind == Entered || e.Kind == Exited:
			heard = append(heard, e.Kind.String())
		}
		if e.Value == last {
			break
		}
	}
	return heard
}

// compare holds what was heard against what was said: all of it, but for gaps where somebody has come anew.
func compare(heard, said []string) error {
	next, present, entries := 0, false, 0
	anew := false
	for _, h := range heard {
		switch h {
		case Entered.String(), Exited.String():
			if present = !present; present != (h == Entered.String()) {
				return fmt.Errorf("%s twice", h)
			}
			if present {
				entries, anew = entries+1, true
			}
			continue
		}
		at := slices.Index(said[next:], h)
		if !present || at < 0 || at > 0 && !anew {
			return fmt.Errorf("heard %q %d behind what comes next, present: %t, anew: %t", h, at, present, anew)
		}
		next, anew = next+at+1, false
	}
	if next != len(said) || entries < 10 {
		return fmt.Errorf("heard %d of %d, and %d entries", next, len(said), entries)
	}
	return nil
}

// Of a partition both sides learn by their heartbeats; when it is over each enters again, in the groups that it is in
// by then.
func TestPitfall19Partition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{Latency: 10 * time.Millisecond})
		ann, bob := a(t, "ann", on(net, "a")), a(t, "bob", on(net, "b"))
		must(t, ann.Join("g"))
		meet(t, ann, bob, "sim://at-ann")
		began := time.Now()
		net.Partition("a")
		events(t, bob, "entered ann", "joined ann g", "left ann g", "exited ann")
		if took := time.Since(began); took > 16*time.Second {
			t.Errorf("it took %v", took)
		}
		must(t, ann.Leave("g"))
		must(t, ann.Join("h"))
		time.Sleep(time.Hour)
		net.Heal()
		events(t, bob, "entered ann", "joined ann h")
		events(t, ann, "entered bob", "exited bob", "entered bob")
	})
}

// A peer that has lost a connection of which we do not know speaks over another: within a second the first is ended.
func TestMovesFromAConnectionThatLasts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{Latency: 10 * time.Millisecond})
		ann := a(t, "ann", on(net, "a"))
		bind(t, ann, "sim://at-ann")
		first := newRaw(t, "sim://at-ann", socket.WithTransport(net), socket.WithoutReconnect())
		first.hello("bob")
		first.says(whisper, 0xa1, '1')
		events(t, ann, "entered bob", "whisper bob 1")
		second := newRaw(t, "sim://at-ann", socket.WithTransport(net))
		began := time.Now()
		second.hello("bob")
		second.says(whisper, 0xa1, '3')
		synctest.Wait()
		first.says(whisper, 0xa1, '2')
		events(t, ann, "whisper bob 2", "exited bob", "entered bob", "whisper bob 3")
		if took := time.Since(began); took < moving || took > moving+100*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		must(t, ann.Whisper(within(t), the(t, ann, "bob"), "you"))
		second.hears("hello ann")
		second.hears("message  a3796f75")
	})
}

var whisper patterns.Head
