package socket_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/proxy"
)

// Chains of sockets with a proxy in the middle, whose workers are killed and replaced. At the end the ledgers of all
// sockets, end to end, have to say of each message where it got to; journals that the test keeps by itself say which
// messages came by, and both have to agree.

// A journal counts how often each message came by one place.
type journal struct {
	mu   sync.Mutex
	seen map[string]int
}

func (j *journal) add(id string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.seen == nil {
		j.seen = make(map[string]int)
	}
	j.seen[id]++
}

func (j *journal) len() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return uint64(len(j.seen))
}

// once fails if a message came by twice.
func (j *journal) once(t testing.TB, where string) {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	for id, n := range j.seen {
		if n != 1 {
			t.Errorf("message %s was %s %d times", id, where, n)
		}
	}
}

// total is the sum of the ledgers of sockets that have closed.
func total(t testing.TB, closed []socket.Stats) socket.Ledger {
	t.Helper()
	all := socket.Ledger{Dropped: make(map[socket.Reason]socket.Count), Discarded: make(map[socket.Reason]socket.Count)}
	add := func(to *socket.Count, n socket.Count) {
		to.Messages += n.Messages
		to.Bytes += n.Bytes
	}
	for _, s := range closed {
		must(t, s.Check())
		for to, n := range map[*socket.Count]socket.Count{
			&all.Accepted: s.Accepted, &all.Delivered: s.Delivered, &all.Queued: s.Queued, &all.Requeued: s.Requeued,
			&all.Received: s.Received, &all.Handed: s.Handed, &all.Unread: s.Unread,
		} {
			add(to, n)
		}
		for to, from := range map[*map[socket.Reason]socket.Count]map[socket.Reason]socket.Count{
			&all.Dropped: s.Dropped, &all.Discarded: s.Discarded,
		} {
			for why, n := range from {
				sum := (*to)[why]
				add(&sum, n)
				(*to)[why] = sum
			}
		}
	}
	must(t, all.Check())
	return all
}

// only fails if messages were lost for other reasons than these, and returns how many were.
func only(t testing.TB, where string, lost map[socket.Reason]socket.Count, reasons ...socket.Reason) (n uint64) {
	t.Helper()
	for why, c := range lost {
		if n += c.Messages; !slices.Contains(reasons, why) {
			t.Errorf("%s: %d messages lost as %q, want %q only", where, c.Messages, why, reasons)
		}
	}
	return n
}

// same fails if two places do not count the same number of messages.
func same(t testing.TB, what string, a, b uint64) {
	t.Helper()
	if a != b {
		t.Errorf("%s: %d and %d messages", what, a, b)
	}
}

// onTheWay is how many messages one side has delivered to the transport and the other side never received. In process
// there is nothing in between to lose them in.
func onTheWay(t testing.TB, endpoint, what string, delivered, received uint64) uint64 {
	t.Helper()
	if received > delivered || received != delivered && strings.HasPrefix(endpoint, "inproc://") {
		t.Errorf("%s: %d delivered, %d received", what, delivered, received)
		return 0
	}
	return delivered - received
}

// calling gives a socket a name that any peer is told.
func calling(name string) socket.Option { return socket.WithMetadata("X-Name", name) }

// deliveredToName counts the messages that a socket has delivered to the peer of that name.
func deliveredToName(s socket.Socket, name string) uint64 {
	for _, p := range s.Stats().Peers {
		if p.Peer.Metadata["X-Name"] == name {
			return p.Delivered.Messages
		}
	}
	return 0
}

// A proxied is a proxy that runs between two bound sockets.
type proxied struct {
	front, back     socket.Socket
	frontAt, backAt string
	control         *proxy.Control
	stop            context.CancelFunc
	done            chan error
}

// startProxy binds both sockets and proxies between them until end.
func startProxy(t testing.TB, front, back socket.Socket, endpoint string) *proxied {
	t.Helper()
	other := endpoint + otherName(endpoint)
	ctx, cancel := context.WithCancel(t.Context())
	p := &proxied{
		front: closing(t, front), back: closing(t, back), frontAt: bind(t, front, endpoint), backAt: bind(t, back, other),
		control: new(proxy.Control), stop: cancel, done: make(chan error, 1),
	}
	go func() {
		p.done <- proxy.Run(ctx, front, back, proxy.WithControl(p.control))
	}()
	t.Cleanup(func() { p.end(t) })
	return p
}

// end stops the proxy, once, and checks that it ended well.
func (p *proxied) end(t testing.TB) {
	t.Helper()
	p.stop()
	if p.done == nil {
		return
	}
	must(t, <-p.done)
	p.done = nil
	s := p.control.Stats()
	for name, way := range map[string]proxy.Counts{"forth": s.Forth, "back": s.Back} {
		same(t, name+", received and forwarded or dropped", way.Received.Messages,
			way.Forwarded.Messages+way.Dropped.Messages)
	}
}

// A pullWorker takes messages and writes them down. Told to hold, it takes no more.
type pullWorker struct {
	*socket.Pull
	name       string
	hold, done chan struct{}
}

// TestProxyChainPipeline: PUSH, a proxy, and workers that are killed in the middle of a stream and come again.
func TestProxyChainPipeline(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		p := startProxy(t, socket.NewPull(), socket.NewPush(), endpoint)
		const workers, kills = 5, 10
		var taken journal
		var closed []socket.Stats
		ctx := within(t)
		born := 0
		start := func() *pullWorker {
			name := fmt.Sprint("worker ", born)
			born++
			w := &pullWorker{socket.NewPull(calling(name)), name, make(chan struct{}), make(chan struct{})}
			connect(t, w, p.backAt)
			go func() {
				defer close(w.done)
				for m, err := range w.Messages(ctx) {
					if err != nil || len(m.Frames) != 2 || len(m.Frames[1]) != 1000 {
						t.Errorf("received %.40q…, %v", m.Frames, err)
						return
					}
					taken.add(string(m.Frames[0]))
					select {
					case <-w.hold:
						return
					default:
					}
				}
			}()
			return w
		}
		kill := func(w *pullWorker) {
			must(t, w.Close())
			<-w.done
			closed = append(closed, w.Stats())
		}
		crew := make([]*pullWorker, workers)
		for i := range crew {
			crew[i] = start()
		}
		waitPeers(t, p.back, workers)
		push := closing(t, socket.NewPush())
		connect(t, push, p.frontAt)
		stop, sent := make(chan struct{}), make(chan int)
		go func() {
			body := make([]byte, 1000)
			for n := 0; ; n++ {
				select {
				case <-stop:
					sent <- n
					return
				default:
				}
				if err := push.Send(ctx, socket.NewMsg(fmt.Append(nil, n), body)); err != nil {
					t.Error(err)
					sent <- n
					return
				}
			}
		}()
		for round := range kills {
			w := crew[round%workers]
			close(w.hold)
			waitUnread(t, w, 10)
			before := taken.len()
			waitUntil(t, "the others go on", func() bool { return taken.len() >= before+20 })
			kill(w)
			waitUntil(t, "it is gone", func() bool { return len(p.back.Stats().Peers) == workers-1 })
			crew[round%workers] = start()
			waitPeers(t, p.back, workers)
		}
		close(stop)
		n := uint64(<-sent)

		waitUntil(t, "all has left", func() bool {
			return push.Stats().Queued.Messages == 0 && p.control.Stats().Forth.Forwarded.Messages == n &&
				p.back.Stats().Queued.Messages == 0
		})
		for _, w := range crew { // those who live get all that goes to them
			waitUntil(t, w.name+" has it all", func() bool {
				return w.Stats().Handed.Messages == deliveredToName(p.back, w.name)
			})
		}
		p.end(t)
		for _, w := range crew {
			kill(w)
		}
		taken.once(t, "received")
		pull, front, back, lane := total(t, closed), p.front.Stats(), p.back.Stats(), p.control.Stats().Forth
		only(t, "PUSH", push.Stats().Dropped)
		only(t, "the proxy's PULL", front.Discarded)
		only(t, "the proxy's PUSH", back.Dropped)
		same(t, "sent, and delivered to the proxy", n, push.Stats().Delivered.Messages)
		same(t, "delivered to the proxy, and received by it", push.Stats().Delivered.Messages, front.Received.Messages)
		same(t, "received, and taken by the proxy", front.Received.Messages, lane.Received.Messages)
		same(t, "taken, and forwarded by the proxy", lane.Received.Messages, lane.Forwarded.Messages)
		same(t, "forwarded by the proxy, and delivered", lane.Forwarded.Messages, back.Delivered.Messages)
		same(t, "handed to workers, and in the journal", pull.Handed.Messages, taken.len())
		unread := only(t, "workers", pull.Discarded, socket.SocketClosed, socket.PeerGone)
		way := onTheWay(t, endpoint, "from the proxy to the workers", back.Delivered.Messages, pull.Received.Messages)
		same(t, "missing from the journal, and unread by workers or on the way to them when they were killed", n-taken.len(),
			unread+way)
		if unread < 10*kills {
			t.Errorf("%d messages were unread in %d workers when they were killed, want 10 in each", unread, kills)
		}
		t.Logf("of %d messages %d were received, %d were unread in workers that were killed, %d on the way to them", n,
			taken.len(), unread, way)
	})
}

// A repWorker answers requests. Told to hold, it keeps the next one to itself.
type repWorker struct {
	*socket.Rep
	hold, holding, release, done chan struct{}
}

// TestProxyChainRequests: REQ, a proxy of ROUTER and DEALER, and five workers that are killed with requests in hand and
// come again.
func TestProxyChainRequests(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		p := startProxy(t, socket.NewRouter(), socket.NewDealer(), endpoint)
		const workers, clients, kills = 5, 8, 5 // each once
		var asked, seen, replied, answered journal
		var unsent journal // replies that their worker could not send
		var closed []socket.Stats
		ctx := within(t)
		start := func() *repWorker {
			w := &repWorker{
				socket.NewRep(socket.WithLinger(0)), make(chan struct{}), make(chan struct{}), make(chan struct{}),
				make(chan struct{}),
			}
			connect(t, w, p.backAt)
			go func() {
				defer close(w.done)
				for m, err := range w.Messages(ctx) {
					if err != nil {
						t.Error(err)
						return
					}
					id := string(m.Frames[0])
					seen.add(id)
					select {
					case <-w.hold:
						close(w.holding)
						<-w.release
					default:
					}
					switch err := w.Send(ctx, m); {
					case err == nil:
						replied.add(id)
					case errors.Is(err, socket.ErrClosed):
						unsent.add(id)
						return
					default:
						t.Error(err)
					}
				}
			}()
			return w
		}
		end := func(w *repWorker) {
			must(t, w.Close())
			close(w.release)
			<-w.done
			closed = append(closed, w.Stats())
		}
		crew := make([]*repWorker, workers)
		for i := range crew {
			crew[i] = start()
		}
		waitPeers(t, p.back, workers)

		reqs := make([]*socket.Req, clients)
		stop := make(chan struct{})
		var wg sync.WaitGroup
		for c := range reqs {
			reqs[c] = socket.NewReq(socket.WithLinger(0))
			connect(t, reqs[c], p.frontAt)
			// A request that died with its worker is answered by nobody: its client gives it up after a while. To
			// give up one that is only slow is no harm here: its reply is accounted for as stale.
			ask := func(i int, patience time.Duration) error {
				id := fmt.Sprint(c, "/", i)
				asked.add(id)
				ctx, cancel := context.WithTimeout(ctx, patience)
				defer cancel()
				m, err := reqs[c].Do(ctx, socket.Text(id, ""))
				if err == nil {
					answered.add(string(m.Frames[0]))
				}
				return err
			}
			wg.Go(func() {
				i := 0
				for ; ; i++ {
					select {
					case <-stop:
						if err := ask(i, patience); err != nil { // now it is answered
							t.Error(err)
						}
						return
					default:
					}
					if err := ask(i, 200*time.Millisecond); err != nil && !errors.Is(err, context.DeadlineExceeded) {
						t.Error(err)
						return
					}
				}
			})
		}
		for round := range kills {
			w := crew[round%workers]
			close(w.hold)
			<-w.holding
			before := answered.len()
			waitUntil(t, "the others go on", func() bool { return answered.len() >= before+20 })
			end(w)
			waitUntil(t, "it is gone", func() bool { return len(p.back.Stats().Peers) == workers-1 })
			crew[round%workers] = start()
			waitPeers(t, p.back, workers)
		}
		close(stop)
		wg.Wait()

		waitUntil(t, "late replies are through", func() bool {
			for _, w := range crew {
				if s := w.Stats(); s.Unread.Messages > 0 || s.Queued.Messages > 0 || s.Delivered.Messages < s.Handed.Messages {
					return false
				}
			}
			front, back, s := p.front.Stats(), p.back.Stats(), p.control.Stats()
			var received uint64
			for _, r := range reqs {
				received += r.Stats().Received.Messages
			}
			return front.Queued.Messages+front.Unread.Messages+back.Queued.Messages+back.Unread.Messages == 0 &&
				s.Back.Received.Messages == s.Back.Forwarded.Messages+s.Back.Dropped.Messages &&
				received == front.Delivered.Messages
		})
		p.end(t)
		for _, w := range crew {
			end(w)
		}
		var ended []socket.Stats
		for _, r := range reqs {
			must(t, r.Close())
			ended = append(ended, r.Stats())
		}

		for where, j := range map[string]*journal{"received": &seen, "replied to": &replied, "answered": &answered} {
			j.once(t, where)
		}
		req, rep := total(t, ended), total(t, closed)
		front, back, lanes := p.front.Stats(), p.back.Stats(), p.control.Stats()

		// There: from asked to seen.
		same(t, "asked, and accepted by REQ", asked.len(), req.Accepted.Messages)
		givenUp := only(t, "REQ", req.Dropped, socket.GivenUp)
		same(t, "delivered by REQ, and received by ROUTER", req.Delivered.Messages, front.Received.Messages)
		only(t, "ROUTER", front.Discarded)
		same(t, "handed over by ROUTER, and taken by the proxy", front.Handed.Messages, lanes.Forth.Received.Messages)
		same(t, "taken, and forwarded by the proxy", lanes.Forth.Received.Messages, lanes.Forth.Forwarded.Messages)
		same(t, "forwarded, and accepted by DEALER", lanes.Forth.Forwarded.Messages, back.Accepted.Messages)
		only(t, "DEALER", back.Dropped)
		there := onTheWay(t, endpoint, "from DEALER to REP", back.Delivered.Messages, rep.Received.Messages)
		unread := only(t, "REP", rep.Discarded, socket.SocketClosed)
		same(t, "handed over by REP, and in the journal", rep.Handed.Messages, seen.len())
		same(t, "asked and never seen, and lost on the way there", asked.len()-seen.len(), givenUp+there+unread)

		// And back: from seen to answered.
		same(t, "seen, and replied to or not", seen.len(), replied.len()+unsent.len())
		same(t, "replied to, and accepted by REP", replied.len(), rep.Accepted.Messages)
		unwritten := only(t, "REP", rep.Dropped, socket.SocketClosed)
		backway := onTheWay(t, endpoint, "from REP to DEALER", rep.Delivered.Messages, back.Received.Messages)
		only(t, "DEALER", back.Discarded)
		same(t, "handed over by DEALER, and taken by the proxy", back.Handed.Messages, lanes.Back.Received.Messages)
		same(t, "forwarded by the proxy, and accepted by ROUTER", lanes.Back.Forwarded.Messages, front.Accepted.Messages)
		only(t, "ROUTER", front.Dropped)
		same(t, "dropped by the proxy, whose clients are all there, and none", lanes.Back.Dropped.Messages, 0)
		same(t, "delivered by ROUTER, and received by REQ", front.Delivered.Messages, req.Received.Messages)
		stale := only(t, "REQ", req.Discarded, socket.StaleReply)
		same(t, "handed over by REQ, and in the journal", req.Handed.Messages, answered.len())
		same(t, "seen and never answered, and lost on the way back", seen.len()-answered.len(),
			unsent.len()+unwritten+backway+stale)

		if unsent.len() < kills {
			t.Errorf("%d workers were killed with a request in hand, want %d", unsent.len(), kills)
		}
		t.Logf("of %d requests %d were answered; given up unsent %d, on the way to a worker that was killed %d, "+
			"unread by it %d, in its hand %d, its reply unsent %d, on the way %d; too late %d",
			asked.len(), answered.len(), givenUp, there, unread, unsent.len(), unwritten, backway, stale)
	})
}
