package socket_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport"
	"github.com/yodel-mq/yodel/transport/simnet"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// floods are what a peer can send without end that is of no use to anybody.
var floods = []struct {
	name  string
	role  string // of the socket
	peer  string
	frame []byte
	count int // more than a tenth of a second's worth of what all peers share
}{
	{"PING", "REP", "REQ", zmtp.AppendPing(nil, 0, nil), 50_000},
	{"PONG", "REP", "REQ", zmtp.AppendPong(nil, nil), 50_000},
	{"unknown command", "REP", "REQ", zmtp.AppendCommand(nil, "X", nil), 50_000},
	{"unknown command of 4 kB", "REP", "REQ", zmtp.AppendCommand(nil, "X", make([]byte, 4000)), 3000},
	{
		"SUBSCRIBE to a socket that does not publish", "REP", "REQ", zmtp.AppendCommand(nil, "SUBSCRIBE", []byte("a")),
		50_000,
	},
	{"empty messages", "REP", "DEALER", messageOf(""), 50_000},
	{"messages without an envelope", "REP", "DEALER", messageOf("hello"), 50_000},
	{"messages to a socket that only sends", "PUSH", "PULL", messageOf("hello"), 50_000},
	{"messages to a publisher", "PUB", "XSUB", messageOf("hello"), 50_000},
	{"replies that nobody waits for", "REQ", "ROUTER", messageOf("id", "", "hello"), 50_000},
}

// TestFlood: a peer that sends too much of what is of no use is read as slowly as the Throttled event says, which
// names it, once; it is not dropped, and what it sends behind that is read. A peer that sends only a little of it is
// not named. Time is virtual.
func TestFlood(t *testing.T) {
	for _, f := range floods {
		t.Run(f.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				network := simnet.New(simnet.Config{})
				s := openRole(f.role, on(network, "srv"), socket.WithHeartbeat(0, 0, 0))
				defer shut(t, s)
				seen := record(s, nil)
				bindAt(t, s)
				ctx, stop := context.WithCancel(t.Context())
				var serving sync.WaitGroup
				defer serving.Wait()
				defer stop()
				if rep, ok := s.(*socket.Rep); ok {
					serving.Go(func() { serve(ctx, rep) })
				}
				if req, ok := s.(*socket.Req); ok { // one request stands, so that it goes on receiving
					serving.Go(func() { _, _ = req.Do(ctx, socket.Text("a question")) })
				}
				little, much := rawSim(t, network, "little"), rawSim(t, network, "much")
				last := make(chan struct{})
				for _, r := range []*raw{little, much} {
					r.shake(f.peer, yodelProperty)
				}
				go drain(little)
				go func() {
					for f, err := much.readFrame(); err == nil; f, err = much.readFrame() {
						if f.command() == zmtp.CommandPong && bytes.HasSuffix(f.body, []byte("the last")) {
							close(last)
						}
					}
				}()
				must(t, s.WaitPeers(within(t), 2))
				little.send(bytes.Repeat(f.frame, 50))
				start := time.Now()
				block := bytes.Repeat(f.frame, 100)
				for range f.count / 100 {
					much.send(block)
				}
				much.send(zmtp.AppendPing(nil, 0, []byte("the last")))
				<-last // all of it is read by then
				worth := time.Duration(f.count*(1+len(f.frame)/256)) * time.Second / 100_000
				if d := time.Since(start); d < worth/2 || d > worth+2*time.Second {
					t.Errorf("%d frames took %v, want about %v", f.count, d, worth)
				}
				named := seen.of(socket.Throttled)
				if len(named) != 1 || named[0].Peer == nil || named[0].Peer.Address != much.LocalAddr().String() {
					t.Errorf("Throttled events: %v, want one that names %v", named, much.LocalAddr())
				}
				seen.wantNoLoss(t)
				balanced(t, s)
			})
		})
	}
}

// TestFloodsShare: two peers that send too much have together what one has alone, and somebody else's requests are
// served meanwhile as if they were not there. A third, in whose stream a request stands behind a flood, gets its
// reply.
func TestFloodsShare(t *testing.T) {
	bubble(t, func(t *testing.T) {
		network := simnet.New(simnet.Config{})
		rep, req := socket.NewRep(on(network, "srv")), socket.NewReq(on(network, "cli"))
		defer shut(t, rep)
		defer shut(t, req)
		seen := record(rep, nil)
		bindAt(t, rep)
		must(t, req.Connect(server))
		ctx, stop := context.WithCancel(t.Context())
		var all sync.WaitGroup
		defer all.Wait()
		defer stop()
		all.Go(func() { serve(ctx, rep) })
		const each = 200_000
		start := time.Now()
		var flooding sync.WaitGroup
		for _, host := range []string{"one", "two"} {
			r := rawSim(t, network, host)
			r.shake("REQ", yodelProperty)
			flooding.Go(func() {
				block := bytes.Repeat(zmtp.AppendPong(nil, nil), 100)
				for range each / 100 {
					r.send(block)
				}
				r.send(messageOf("", "a request at last"))
				for {
					f, err := r.readFrame()
					if err != nil {
						t.Error(err)
						return
					}
					if string(f.body) == "a request at last" {
						return
					}
				}
			})
		}
		for range 100 {
			begin := time.Now()
			if _, err := req.Do(within(t), socket.Text("a good request")); err != nil {
				t.Fatal(err)
			}
			if d := time.Since(begin); d > 0 {
				t.Errorf("a good request took %v", d)
			}
			time.Sleep(10 * time.Millisecond)
		}
		flooding.Wait()
		const want = 2 * each * time.Second / 100_000
		if d := time.Since(start); d < want*3/4 || d > want*5/4 {
			t.Errorf("two floods took %v, want about %v", d, want)
		}
		if named := seen.of(socket.Throttled); len(named) != 2 {
			t.Errorf("Throttled events: %v, want two", named)
		}
		seen.wantNoLoss(t)
	})
}

// openRole makes the socket of a role.
func openRole(name string, opts ...socket.Option) anyRole {
	for _, r := range roles {
		if r.name == name {
			return r.open(opts...)
		}
	}
	panic("no role " + name)
}

// serve answers requests until ctx ends.
func serve(ctx context.Context, rep *socket.Rep) {
	for m, err := range rep.Messages(ctx) {
		if err == nil {
			_ = rep.Send(ctx, m) // fails when the test is over
		}
	}
}

// drain reads what comes and throws it away.
func drain(r *raw) {
	b := make([]byte, 64<<10)
	for {
		if _, err := r.Read(b); err != nil {
			return
		}
	}
}

// counting is a tcp transport that counts how often its connections are read and written to.
type counting struct {
	transport.Transport
	reads, writes atomic.Int64
}

type countingListener struct {
	transport.Listener
	of *counting
}

type countingConn struct {
	net.Conn
	transport.TryWriter
	transport.ReadCanceler
	of *counting
}

func (c *counting) Listen(ctx context.Context, address string) (transport.Listener, error) {
	ln, err := c.Transport.Listen(ctx, address)
	return countingListener{ln, c}, err
}

func (l countingListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return countingConn{conn, conn.(transport.TryWriter), conn.(transport.ReadCanceler), l.of}, nil
}

func (c countingConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.of.reads.Add(1)
	return n, err
}

func (c countingConn) Write(b []byte) (int, error) {
	c.of.writes.Add(1)
	return c.Conn.Write(b)
}

func (c countingConn) TryWrite(b []byte) (int, error) {
	c.of.writes.Add(1)
	return c.TryWriter.TryWrite(b)
}

// TestPongsOfOneReadLeaveTogether: each of many PINGs is answered with its context, in order, by no more writes than
// it took reads.
func TestPongsOfOneReadLeaveTogether(t *testing.T) {
	for _, count := range []int{1, 10, 900} {
		t.Run(fmt.Sprint(count), func(t *testing.T) {
			c := &counting{Transport: transport.NewTCP()}
			pull := closing(t, socket.NewPull(socket.WithTransport(c), socket.WithHeartbeat(0, 0, 0)))
			r := rawDial(t, bind(t, pull, "tcp://127.0.0.1:*"))
			r.shake("PUSH")
			waitPeers(t, pull, 1)
			reads, writes := c.reads.Load(), c.writes.Load()
			var pings []byte
			for i := range count {
				pings = zmtp.AppendPing(pings, 0, fmt.Append(nil, "context ", i))
			}
			r.send(pings)
			for i := range count {
				if got, want := r.pong(), fmt.Sprint("context ", i); got != want {
					t.Fatalf("PONG %d carries %q, want %q", i, got, want)
				}
			}
			reads, writes = c.reads.Load()-reads, c.writes.Load()-writes
			if most := reads + 1; writes > most { // the read under way has not returned yet
				t.Errorf("%d PONGs by %d writes after %d reads, want at most %d", count, writes, reads, most)
			}
		})
	}
}

// TestImpatientPeer: a peer that says that it bears no silence to speak of gets no more signs of life than forty a
// second while the application is behind.
func TestImpatientPeer(t *testing.T) {
	for _, tt := range []struct {
		name     string
		property []byte // its heartbeat timeout, in milliseconds
		ping     bool   // it sends PINGs as often
	}{
		{"by what it says", []byte{0, 0, 0, 1}, false},
		{"by a PING each millisecond", []byte{0, 0, 0, 0}, true},
		{"by both", []byte{0, 0, 0, 1}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				network := simnet.New(simnet.Config{})
				pull := socket.NewPull(on(network, "srv"), socket.WithRecvHWM(1), socket.WithHeartbeat(0, 0, 0))
				defer shut(t, pull)
				bindAt(t, pull)
				r := rawSim(t, network, "cli")
				property := yodelProperty
				property.Value = append(bytes.Clone(property.Value[:len(property.Value)-4]), tt.property...)
				r.shake("PUSH", property)
				if tt.ping {
					for range 50 {
						r.send(zmtp.AppendPing(nil, 0, nil))
						time.Sleep(time.Millisecond)
					}
				}
				r.send(messageOf("a"), messageOf("b"), messageOf("c"))
				time.Sleep(time.Second)
				must(t, r.SetReadDeadline(time.Now().Add(time.Nanosecond)))
				for {
					if _, err := r.readFrame(); err != nil {
						break
					}
				}
				const watched = 10 * time.Second
				signs := 0
				must(t, r.SetReadDeadline(time.Now().Add(watched)))
				for {
					if _, err := r.readFrame(); err != nil {
						break
					}
					signs++
				}
				if most := int(watched / (25 * time.Millisecond)); signs > most+1 || tt.property[3] > 0 && signs < most/2 {
					t.Errorf("%d signs of life in %v, want at most %d", signs, watched, most)
				}
				expect(t, pull, "a")
			})
		})
	}
}

// TestUnaskedRepliesBuyNoWork: under WithLeastOutstanding a worker that sends replies to nothing, and then answers
// nothing, gets no more than one that only does not answer.
func TestUnaskedRepliesBuyNoWork(t *testing.T) {
	for _, endpoint := range []string{"tcp://127.0.0.1:*", "ipc://*", "inproc://" + t.Name()} {
		t.Run(endpoint, func(t *testing.T) {
			dealer := closing(t, socket.NewDealer(socket.WithLeastOutstanding()))
			at := bind(t, dealer, endpoint)
			greedy, worker := closing(t, socket.NewDealer()), closing(t, socket.NewDealer())
			connect(t, greedy, at)
			waitPeers(t, dealer, 1)
			for range 500 {
				send(t, greedy, "done, and done")
				expect(t, dealer, "done, and done")
			}
			connect(t, worker, at)
			waitPeers(t, dealer, 2)
			jobs := func() (ofGreedy, ofWorker uint64) {
				for _, p := range dealer.Stats().Peers {
					if p.Received.Messages >= 500 {
						ofGreedy += p.Accepted.Messages
					} else {
						ofWorker += p.Accepted.Messages
					}
				}
				return ofGreedy, ofWorker
			}
			for i := range uint64(200) {
				_, before := jobs()
				send(t, dealer, fmt.Sprint(i))
				ofGreedy, after := jobs()
				if ofGreedy > 1 {
					t.Fatalf("of %d jobs %d went to the one that answers none", i+1, ofGreedy)
				}
				if after > before {
					expect(t, worker, fmt.Sprint(i))
					send(t, worker, "done")
					expect(t, dealer, "done")
				}
			}
		})
	}
}

// TestPeersThatAlwaysHaveRequests: beside peers that always have requests waiting, all of them valid, a peer that sends
// one and waits for the answer waits for no more than the request being worked on and a few like itself. The others
// are named after five seconds, each once. Nobody is where that makes nobody wait, where it ends sooner, or where no
// peer waits for an answer. Time is virtual.
func TestPeersThatAlwaysHaveRequests(t *testing.T) {
	const work = time.Millisecond // for each
	for _, c := range []struct {
		name     string
		role     string // of the socket
		peer     string // of those that flood it
		frames   []byte
		floods   int
		lasts    time.Duration // for so long each has more than its queue takes
		asks     bool          // there is a good peer
		wantName bool
	}{
		{"REP", "REP", "DEALER", messageOf("", "a request"), 20, time.Hour, true, true},
		{"REP with REQ peers", "REP", "REQ", messageOf("", "a request"), 20, time.Hour, true, true},
		{"ROUTER", "ROUTER", "DEALER", messageOf("", "a request"), 20, time.Hour, true, true},
		{"one of them", "REP", "DEALER", messageOf("", "a request"), 1, time.Hour, true, true},
		{"nobody else asks", "REP", "DEALER", messageOf("", "a request"), 1, time.Hour, false, false},
		{"for four seconds", "REP", "DEALER", messageOf("", "a request"), 1, 4 * time.Second, true, false},
		{"a stream that nobody answers", "PULL", "PUSH", messageOf("a message"), 2, time.Hour, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				network := simnet.New(simnet.Config{})
				s := openRole(c.role, on(network, "srv"), socket.WithHeartbeat(0, 0, 0))
				defer shut(t, s)
				start := time.Now()
				var named []time.Duration // when
				who := make(map[string]int)
				record(s, func(e socket.Event) {
					if e.Kind == socket.Throttled {
						named = append(named, time.Since(start))
						who[e.Peer.Address]++
					}
				})
				bindAt(t, s)
				ctx, stop := context.WithCancel(t.Context())
				var all sync.WaitGroup
				defer all.Wait()
				defer stop()
				all.Go(func() { // the application
					for {
						m, err := s.(socket.Receiver).Recv(ctx)
						if err != nil {
							return
						}
						time.Sleep(work)
						if out, ok := s.(socket.Sender); ok {
							_ = out.Send(ctx, m) // fails when the test is over
						}
					}
				})
				var floods []*raw
				for i := range c.floods {
					r := rawSim(t, network, fmt.Sprint("flood ", i))
					r.shake(c.peer, yodelProperty)
					floods = append(floods, r)
					go drain(r)
					all.Go(func() {
						block := bytes.Repeat(c.frames, 100)
						for sent := time.Duration(0); sent < c.lasts/work; sent += 100 {
							if _, err := r.Write(block); err != nil {
								return
							}
						}
					})
				}
				time.Sleep(10 * time.Millisecond)
				var longest time.Duration
				if c.asks {
					req := socket.NewReq(on(network, "cli"))
					defer shut(t, req)
					must(t, req.Connect(server))
					for range 150 {
						begin := time.Now()
						if _, err := req.Do(within(t), socket.Text("a good request")); err != nil {
							t.Fatal(err)
						}
						longest = max(longest, time.Since(begin))
						time.Sleep(50 * time.Millisecond)
					}
				} else {
					time.Sleep(7500 * time.Millisecond)
				}
				for _, r := range floods {
					must(t, r.Close())
				}
				if most := 4 * work; longest > most {
					t.Errorf("a good request took %v, want at most %v", longest, most)
				}
				synctest.Wait() // for the events
				want := 0
				if c.wantName {
					want = c.floods
				}
				if len(named) != want || len(who) != want {
					t.Fatalf("%d Throttled events name %d peers, want %d", len(named), len(who), want)
				}
				for _, r := range floods {
					if n := who[r.LocalAddr().String()]; c.wantName && n != 1 {
						t.Errorf("%v was named %d times", r.LocalAddr(), n)
					}
				}
				for _, at := range named {
					if at < 5*time.Second || at > 6*time.Second {
						t.Errorf("named after %v", at)
					}
				}
			})
		})
	}
}
