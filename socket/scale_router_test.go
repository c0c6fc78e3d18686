package socket_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
)

// TestRouterOfThousandsByWire: dealers in another process, each on a connection of its own, connect, exchange and
// leave; come back under their identities, are killed in the middle of things; and come back once more. No message
// goes to the wrong one, every message is accounted for, and when all are gone the router is as small as before.
func TestRouterOfThousandsByWire(t *testing.T) {
	n := scaled(10_000)
	wantDescriptors(t, n+500)
	// Not t.TempDir, whose name may be longer than the address of a unix socket can be.
	dir, err := os.MkdirTemp("", "yodel")
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	router := closing(t, socket.NewRouter(socket.WithLimits(socket.Limits{MaxHandshakes: n}))) // they all come at once
	at := bind(t, router, "ipc://"+filepath.Join(dir, "router"))
	manyGoroutines(4 * n) // what the runtime keeps of each for good is not ours
	goroutines, before := runtime.NumGoroutine(), heap()
	echo := startEcho(t, router)

	for wave, end := range []string{"leave", "kill", "leave"} {
		word := fmt.Sprint("wave ", wave)
		dealers := startChild(t, "dealers", at, strconv.Itoa(n), word)
		dealers.await(t, "connected")
		// Those that were refused for the name of one that was killed are in by now: what such a dealer sends before it
		// knows that it is refused is lost.
		waitUntil(t, "all are in", func() bool { return called(router, word) == n })
		dealers.command(t, "exchange")
		dealers.await(t, "exchanged")
		waitUntil(t, "each is one peer", func() bool { return len(router.Stats().Peers) == n }) // the killed ones are gone
		balanced(t, router)
		if end == "leave" {
			dealers.finish(t)
		} else {
			dealers.command(t, "flood")
			dealers.await(t, "flooding")
			dealers.kill(t)
			continue // the next wave comes while the router still finds out
		}
		waitUntil(t, "all are gone", func() bool { return len(router.Stats().Peers) == 0 })
	}

	echo.stop(t)
	waitUntil(t, "goroutines are back", func() bool { return runtime.NumGoroutine() <= goroutines })
	s := router.Stats()
	if s.Handed.Messages != s.Received.Messages || len(s.Discarded) != 0 {
		t.Errorf("ledger %+v: want all that was received handed over", s.Ledger)
	}
	if s.Handed.Messages < uint64(3*n) || s.Accepted.Messages+echo.unroutable.Load() != s.Handed.Messages {
		t.Errorf("ledger %+v, %d unroutable: want each message, at least %d, answered or its sender gone", s.Ledger,
			echo.unroutable.Load(), 3*n)
	}
	if lost := s.Dropped[socket.PeerGone].Messages; s.Delivered.Messages+lost != s.Accepted.Messages {
		t.Errorf("ledger %+v: want what was not delivered lost with its peer", s.Ledger)
	}
	backInSize(t, before, n)
	t.Logf("%d messages, %d for peers that were gone, %d queued for such", s.Handed.Messages, echo.unroutable.Load(),
		s.Dropped[socket.PeerGone].Messages)
}

// called counts the peers that go by a name.
func called(s socket.Socket, name string) (n int) {
	for _, p := range s.Stats().Peers {
		if p.Peer.Metadata["X-Name"] == name {
			n++
		}
	}
	return n
}

// An echoing sends everything that a router receives back.
type echoing struct {
	cancel     context.CancelFunc
	done       chan struct{}
	unroutable atomic.Uint64
}

// startEcho answers on a router and checks that each message comes from the one that it says.
func startEcho(t testing.TB, router *socket.Router) *echoing {
	ctx, cancel := context.WithCancel(t.Context())
	e := &echoing{cancel: cancel, done: make(chan struct{})}
	t.Cleanup(cancel)
	go func() {
		defer close(e.done)
		for m, err := range router.Messages(ctx) {
			if err != nil {
				return
			}
			if id := string(m.Frames[0]); len(m.Frames) != 4 || id != string(m.Frames[1]) || id != string(m.From.Identity) {
				t.Errorf("received %s from %v", m, m.From)
				return
			}
			switch err := router.Send(ctx, m); {
			case errors.Is(err, socket.ErrUnroutable):
				e.unroutable.Add(1)
			case err != nil:
				t.Errorf("answer to %s: %v", m, err)
				return
			}
		}
	}()
	return e
}

// stop ends it once everything has been answered.
func (e *echoing) stop(t testing.TB) {
	e.cancel()
	select {
	case <-e.done:
	case <-within(t).Done():
		t.Fatal("the answering does not end")
	}
}

// childDealers is n dealers with identities, connected to one router that sends back what it receives. The arguments
// are its endpoint, n, and a word for this process to tell its messages by.
func childDealers(t *testing.T, args []string, commands *bufio.Scanner) {
	at, word := args[0], args[2]
	n, err := strconv.Atoi(args[1])
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute) // for all there is to do
	defer cancel()
	dealers := make([]*socket.Dealer, n)
	name := func(i int) string { return fmt.Sprint("dealer ", i) }
	for i := range dealers {
		dealers[i] = socket.NewDealer(socket.WithIdentity(name(i)), calling(word), socket.WithLinger(0))
		must(t, dealers[i].Connect(at))
	}
	for _, d := range dealers {
		must(t, d.WaitPeers(ctx, 1))
	}
	say("connected")
	// answer receives what dealer i sent as its message of that number. Answers to what it sent under its identity in
	// another life are its own, too.
	answer := func(i, number int) error {
		for {
			m, err := dealers[i].Recv(ctx)
			if err != nil {
				return err
			}
			switch {
			case len(m.Frames) != 3 || string(m.Frames[0]) != name(i):
				return fmt.Errorf("%s received %s, which is not its own", name(i), m)
			case string(m.Frames[1]) != word:
				continue
			case string(m.Frames[2]) != strconv.Itoa(number):
				return fmt.Errorf("%s received %s, want number %d", name(i), m, number)
			}
			return nil
		}
	}
	for commands.Scan() {
		switch commands.Text() {
		case "exchange":
			for i, d := range dealers {
				must(t, d.Send(ctx, socket.Text(name(i), word, "0")))
			}
			var wg sync.WaitGroup
			for i := range dealers {
				wg.Go(func() {
					if err := answer(i, 0); err != nil && ctx.Err() == nil {
						t.Error(err)
						cancel() // one is enough
					}
				})
			}
			wg.Wait()
			must(t, ctx.Err())
			say("exchanged")
		case "flood": // for ever
			var wg sync.WaitGroup
			var told sync.Once
			for first := range 8 {
				wg.Go(func() {
					for number := 1; ; number++ {
						for i := first; i < n; i += 8 {
							if err := dealers[i].Send(ctx, socket.Text(name(i), word, strconv.Itoa(number))); err != nil {
								t.Error(err)
								return
							}
						}
						if number == 3 {
							told.Do(func() { say("flooding") })
						}
						for i := first; number > 2 && i < n; i += 8 { // two are always under way
							if err := answer(i, number-2); err != nil {
								t.Error(err)
								cancel()
								return
							}
						}
					}
				})
			}
			wg.Wait()
		}
	}
	for _, i := range rand.Perm(n) { // they leave in any order
		must(t, dealers[i].Close())
		balanced(t, dealers[i])
	}
}
