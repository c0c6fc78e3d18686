package socket_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
)

// The chains once more, with workers that are processes and are killed as such: what they had not said to have taken
// dies with them, and the ledgers of those who live have to say how much that was.

// byWire runs a test over the transports that lead to another process.
func byWire(t *testing.T, test func(t *testing.T, endpoint string)) {
	for _, name := range []string{"tcp", "ipc"} {
		t.Run(name, func(t *testing.T) { test(t, transports(t)[name]) })
	}
}

// childPull is a PULL that takes as many messages as it is told to and says which. The arguments are the endpoint and
// its name.
func childPull(t *testing.T, args []string, commands *bufio.Scanner) {
	pull := closing(t, socket.NewPull(calling(args[1]), socket.WithRecvHWM(0), quick()))
	connect(t, pull, args[0])
	for commands.Scan() {
		n, err := strconv.Atoi(commands.Text())
		must(t, err)
		for range n {
			say(string(recv(t, pull).Frames[0]))
		}
	}
}

// childPush is a PUSH that sends numbered messages, some each millisecond, until it is told to end, and says then how
// many. The argument is the endpoint.
func childPush(t *testing.T, args []string, commands *bufio.Scanner) {
	push := closing(t, socket.NewPush(quick(), socket.WithSendHWM(0)))
	connect(t, push, args[0])
	var ended atomic.Bool
	go func() {
		commands.Scan()
		ended.Store(true)
	}()
	pace := time.NewTicker(time.Millisecond)
	defer pace.Stop()
	count := 0
	for ; !ended.Load(); count++ {
		must(t, push.Send(t.Context(), socket.NewMsg(paddedNumber(count))))
		if count%4 == 0 {
			<-pace.C
		}
	}
	must(t, push.Shutdown(within(t)))
	say(count, push.Stats().Delivered.Messages)
}

func TestProxyChainPipelineOfProcesses(t *testing.T) {
	byWire(t, func(t *testing.T, endpoint string) {
		p := startProxy(t, socket.NewPull(socket.WithRecvHWM(0)), socket.NewPush(socket.WithSendHWM(0)), endpoint)
		const workers, kills, each = 3, 4, 300
		born := 0
		start := func() (*child, string) {
			name := fmt.Sprint("worker ", born)
			born++
			return startChild(t, "pull", p.backAt, name), name
		}
		crew, names := make([]*child, workers), make([]string, workers)
		for i := range crew {
			crew[i], names[i] = start()
		}
		waitPeers(t, p.back, workers)
		push := closing(t, socket.NewPush(socket.WithSendHWM(0)))
		connect(t, push, p.frontAt)
		var taken journal
		took := make([]int, workers)
		take := func(i, n int) { // by worker i
			t.Helper()
			took[i] += n
			crew[i].command(t, n)
			for range n {
				id, ok := crew[i].readLine()
				if !ok {
					t.Fatal("a worker has ended")
				}
				taken.add(id)
			}
		}
		sent, dead := 0, 0
		for round := range kills + 1 {
			for range each {
				send(t, push, fmt.Sprint(sent), "body")
				sent++
			}
			waitUntil(t, "all have been delivered to workers", func() bool {
				return p.back.Stats().Delivered.Messages == uint64(sent)
			})
			if round == kills {
				break
			}
			i := round % workers
			take(i, 10)
			lost := int(deliveredToName(p.back, names[i])) - took[i] // unread in the worker, or in a kernel
			if lost < each/workers-10 {
				t.Errorf("worker %d is killed with %d messages to do, want no fewer than %d", i, lost, each/workers-10)
			}
			dead += lost
			if late := crew[i].kill(t); len(late) > 0 {
				t.Errorf("the worker took more than it was told to: %q", late)
			}
			waitUntil(t, "it is gone", func() bool { return len(p.back.Stats().Peers) == workers-1 })
			crew[i], names[i] = start()
			took[i] = 0
			waitPeers(t, p.back, workers)
		}
		for i, c := range crew { // those who live get all that went to them
			take(i, int(deliveredToName(p.back, names[i]))-took[i])
			c.finish(t)
		}
		taken.once(t, "received")
		same(t, "sent, and taken or dead with a worker", uint64(sent), taken.len()+uint64(dead))
		p.end(t)
		only(t, "PUSH", push.Stats().Dropped)
		only(t, "the proxy's PULL", p.front.Stats().Discarded)
		only(t, "the proxy's PUSH", p.back.Stats().Dropped)
		t.Logf("of %d messages %d were taken, %d died with a worker", sent, taken.len(), dead)
	})
}

// childRep is a REP that answers with what it was asked, saying so before and after. The argument is the endpoint.
func childRep(t *testing.T, args []string, commands *bufio.Scanner) {
	rep := socket.NewRep(quick())
	connect(t, rep, args[0])
	done := make(chan struct{})
	go func() {
		defer close(done)
		for m, err := range rep.Messages(context.WithoutCancel(t.Context())) {
			if err != nil {
				t.Error(err)
				return
			}
			id := string(m.Frames[0])
			say("seen", id)
			if err := rep.Send(t.Context(), m); err != nil && !errors.Is(err, socket.ErrPeerLost) {
				t.Error(err)
				return
			}
			say("replied", id)
		}
	}()
	for commands.Scan() {
		continue
	}
	must(t, rep.Close())
	<-done
}

func TestProxyChainRequestsOfProcesses(t *testing.T) {
	byWire(t, func(t *testing.T, endpoint string) {
		p := startProxy(t, socket.NewRouter(), socket.NewDealer(), endpoint)
		const workers, clients, kills = 5, 4, 5
		var asked, answered, seen, replied journal
		var listening sync.WaitGroup
		ctx := within(t)
		start := func() *child {
			c := startChild(t, "rep", p.backAt)
			listening.Go(func() {
				for line, ok := c.readLine(); ok; line, ok = c.readLine() {
					if what, id, _ := strings.Cut(line, " "); what == "seen" {
						seen.add(id)
					} else {
						replied.add(id)
					}
				}
			})
			return c
		}
		crew := make([]*child, workers)
		for i := range crew {
			crew[i] = start()
		}
		waitPeers(t, p.back, workers)
		stop := make(chan struct{})
		var wg sync.WaitGroup
		reqs := make([]*socket.Req, clients)
		for c := range reqs {
			reqs[c] = closing(t, socket.NewReq())
			connect(t, reqs[c], p.frontAt)
			wg.Go(func() {
				for i, last := 0, false; !last; i++ {
					wait := 500 * time.Millisecond // for a reply that may have died
					select {
					case <-stop:
						wait, last = patience, true
					default:
					}
					id := fmt.Sprint(c, "/", i)
					asked.add(id)
					patient, cancel := context.WithTimeout(ctx, wait)
					m, err := reqs[c].Do(patient, socket.Text(id, ""))
					cancel()
					switch {
					case err == nil:
						answered.add(string(m.Frames[0]))
					case last || !errors.Is(err, context.DeadlineExceeded):
						t.Error(err)
						return
					}
				}
			})
		}
		for round := range kills {
			before := answered.len()
			waitUntil(t, "more is answered", func() bool { return answered.len() >= before+50 })
			must(t, crew[round].cmd.Process.Kill()) // in the middle of things
			waitUntil(t, "it is gone", func() bool { return len(p.back.Stats().Peers) == workers-1 })
			crew[round] = start()
			waitPeers(t, p.back, workers)
		}
		close(stop)
		wg.Wait()
		p.end(t)
		for _, c := range crew {
			must(t, c.to.Close())
		}
		listening.Wait()

		for where, j := range map[string]*journal{"seen": &seen, "replied to": &replied, "answered": &answered} {
			j.once(t, where)
		}
		front, back, lanes := p.front.Stats(), p.back.Stats(), p.control.Stats()
		var givenUp, stale uint64
		for _, r := range reqs {
			givenUp += only(t, "REQ", r.Stats().Dropped, socket.GivenUp)
			stale += only(t, "REQ", r.Stats().Discarded, socket.StaleReply)
		}
		only(t, "ROUTER", front.Dropped)
		only(t, "ROUTER", front.Discarded)
		only(t, "DEALER", back.Dropped)
		only(t, "DEALER", back.Discarded)
		same(t, "forwarded and received by the proxy", lanes.Forth.Forwarded.Messages, lanes.Forth.Received.Messages)
		same(t, "forwarded and received by the proxy, back", lanes.Back.Forwarded.Messages, lanes.Back.Received.Messages)
		same(t, "asked, and given up or delivered to workers", asked.len(), givenUp+back.Delivered.Messages)
		same(t, "replies of workers, and answers to clients in time and too late", back.Received.Messages,
			answered.len()+stale)
		if seen.len() > back.Delivered.Messages || back.Received.Messages > seen.len() {
			t.Errorf("%d delivered to workers, %d seen by them, %d replies of theirs", back.Delivered.Messages, seen.len(),
				back.Received.Messages)
		}
		unseen := back.Delivered.Messages - seen.len()    // died with a worker, or on the way to it
		unanswered := seen.len() - back.Received.Messages // died with a worker, or on the way back
		t.Logf(
			"of %d requests %d were answered in time, %d too late; given up unsent %d, died with a worker unseen %d, seen %d",
			asked.len(), answered.len(), stale, givenUp, unseen, unanswered)
	})
}
