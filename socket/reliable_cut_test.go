package socket_test

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
)

var long = flag.Bool("long", false, "cut 2,000 connections where 300 are cut otherwise")

// A cutter is a proxy in front of an endpoint that cuts each connection after a random number of bytes.
type cutter struct {
	endpoint string
	ln       net.Listener
	network  string
	to       string
	wg       sync.WaitGroup

	mu    sync.Mutex
	rnd   *rand.Rand
	most  int // bytes a connection lives for at most
	cuts  int
	left  int // cuts
	conns map[net.Conn]struct{}
}

func newCutter(t testing.TB, endpoint string, seed uint64, cuts, most int) *cutter {
	t.Helper()
	scheme, to, _ := strings.Cut(endpoint, "://")
	network, at := "tcp", "127.0.0.1:0"
	if scheme == "ipc" {
		network, at = "unix", to+".cut"
	}
	ln, err := net.Listen(network, at)
	must(t, err)
	c := &cutter{
		endpoint: scheme + "://" + ln.Addr().String(), ln: ln, network: network, to: to,
		rnd: rand.New(rand.NewPCG(seed, 1)), most: most, left: cuts, conns: make(map[net.Conn]struct{}),
	}
	c.wg.Go(c.accept)
	t.Cleanup(c.close)
	return c
}

func (c *cutter) accept() {
	for {
		in, err := c.ln.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial(c.network, c.to)
		if err != nil {
			in.Close()
			continue
		}
		c.mu.Lock()
		c.conns[in], c.conns[out] = struct{}{}, struct{}{}
		budget := -1
		if c.left > 0 {
			c.left--
			budget = c.rnd.IntN(c.most)
		}
		reset := c.rnd.IntN(2) == 0
		c.mu.Unlock()
		once := sync.OnceFunc(func() {
			c.mu.Lock()
			delete(c.conns, in)
			delete(c.conns, out)
			if budget >= 0 {
				c.cuts++
			}
			c.mu.Unlock()
			if reset && c.network == "tcp" {
				_ = in.(*net.TCPConn).SetLinger(0)
				_ = out.(*net.TCPConn).SetLinger(0)
			}
			in.Close()
			out.Close()
		})
		var pipes sync.Mutex
		left := budget
		pass := func(dst, src net.Conn) {
			b := make([]byte, 16<<10)
			for {
				n, err := src.Read(b)
				pipes.Lock()
				if budget >= 0 {
					n = min(n, left)
					left -= n
				}
				done := budget >= 0 && left == 0
				pipes.Unlock()
				if n > 0 {
					if _, err := dst.Write(b[:n]); err != nil {
						break
					}
				}
				if done {
					break
				}
				if err != nil {
					if errors.Is(err, io.EOF) {
						_ = dst.(interface{ CloseWrite() error }).CloseWrite()
						return
					}
					break
				}
			}
			once()
		}
		var both sync.WaitGroup
		both.Go(func() { pass(in, out) })
		both.Go(func() { pass(out, in) })
		c.wg.Go(func() { both.Wait(); once() })
	}
}

func (c *cutter) done() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cuts
}

func (c *cutter) close() {
	c.ln.Close()
	c.mu.Lock()
	for conn := range c.conns {
		conn.Close()
	}
	c.mu.Unlock()
	c.wg.Wait()
}

// cutsWanted is how many connections a test cuts.
func cutsWanted() int {
	if *long {
		return 2000
	}
	return 300
}

var atOnce = socket.WithReconnect(time.Millisecond, 5*time.Millisecond)

// numberedBody is a message of a size that begins with its number.
func numberedBody(n uint64, size int) socket.Msg {
	b := make([]byte, max(8, size))
	binary.BigEndian.PutUint64(b, n)
	return socket.NewMsg(b)
}

// TestReliableCuts: a Push sends through a proxy that cuts the connection again and again, in the middle of whatever it
// carries. The Pull receives everything once and in order.
func TestReliableCuts(t *testing.T) {
	for _, tr := range benchTransports[:2] {
		t.Run(tr.name, func(t *testing.T) { sendThroughCuts(t, tr.endpoint) })
	}
}

func sendThroughCuts(t *testing.T, endpoint string) {
	push, pull := closing(t, socket.NewPush(socket.WithReliable(), atOnce)), closing(t, socket.NewPull())
	at := bind(t, pull, endpoint)
	cut := newCutter(t, at, 1, cutsWanted(), 200<<10)
	connect(t, push, cut.endpoint)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	var stop atomic.Bool
	var last atomic.Uint64 // the number of the last message, once it is about to be sent
	var sender sync.WaitGroup
	sender.Go(func() {
		rnd := rand.New(rand.NewPCG(2, 2))
		for sent := uint64(0); last.Load() == 0; sent++ {
			if stop.Load() {
				last.Store(sent)
			}
			size := rnd.IntN(200)
			if rnd.IntN(100) == 0 {
				size = rnd.IntN(30 << 10)
			}
			if err := push.Send(ctx, numberedBody(sent, size)); err != nil {
				t.Errorf("send: %v", err)
				return
			}
		}
	})
	next := uint64(0)
	for next == 0 || next <= last.Load() || last.Load() == 0 { // it goes on, or the sender may wait for room for ever
		m, err := pull.Recv(ctx)
		must(t, err)
		if n := binary.BigEndian.Uint64(m.Frames[0]); n != next {
			t.Fatalf("received %d, want %d (%d cuts); %v; %v", n, next, cut.done(), push.Stats(), pull.Stats())
		}
		next++
		stop.Store(cut.done() >= cutsWanted())
	}
	sender.Wait()
	sent := next
	must(t, push.Shutdown(within(t)))
	if st := push.Stats(); st.Delivered.Messages != sent || st.Unacknowledged.Messages != 0 {
		t.Errorf("PUSH counts %v, sent %d", st.Ledger, sent)
	}
	if st := pull.Stats(); st.Handed.Messages != sent {
		t.Errorf("PULL counts %v, was sent %d", st.Ledger, sent)
	}
	t.Logf("%d messages, %d cuts, %v; %v", sent, cut.done(), push.Stats().Ledger, pull.Stats().Ledger)
}
