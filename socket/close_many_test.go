package socket_test

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport"
	"github.com/yodel-mq/yodel/transport/simnet"
)

// slowToClose is a transport whose connections take a while to close, as those of the kernel do while their readers
// wait for a processor.
type slowToClose struct {
	transport.Transport
	takes  time.Duration
	frees  bool // a deadline frees who reads
	closed atomic.Int64
}

func (s *slowToClose) Listen(ctx context.Context, address string) (transport.Listener, error) {
	ln, err := s.Transport.Listen(ctx, address)
	return slowListener{ln, s}, err
}

type slowListener struct {
	transport.Listener
	of *slowToClose
}

func (l slowListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &slowConn{Conn: conn, of: l.of}, nil
}

type slowConn struct {
	net.Conn
	of     *slowToClose
	closes atomic.Bool
}

func (c *slowConn) SetReadDeadline(t time.Time) error {
	if c.of.frees {
		return c.Conn.SetReadDeadline(t)
	}
	return errors.ErrUnsupported
}

func (c *slowConn) Close() error {
	if c.closes.Swap(true) {
		return net.ErrClosed
	}
	<-time.After(c.of.takes)
	c.of.closed.Add(1)
	return c.Conn.Close()
}

// TestCloseOfManyPeers: one connection after the other would take five seconds to close. Time is virtual.
func TestCloseOfManyPeers(t *testing.T) {
	for name, frees := range map[string]bool{"readers are freed first": true, "readers cannot be freed": false} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				const peers, takes = 500, 10 * time.Millisecond
				network := simnet.New(simnet.Config{})
				slow := &slowToClose{Transport: network.Host("srv"), takes: takes, frees: frees}
				pull := socket.NewPull(socket.WithTransport(slow), socket.WithHeartbeat(0, 0, 0))
				bindAt(t, pull)
				for range peers {
					rawSim(t, network, "cli").shake("PUSH")
				}
				must(t, pull.WaitPeers(within(t), peers))
				begin := time.Now()
				must(t, pull.Close())
				if d := time.Since(begin); d >= peers*takes/5 {
					t.Errorf("Close took %v", d)
				}
				if n := slow.closed.Load(); n != peers {
					t.Errorf("%d of %d connections are closed", n, peers)
				}
				if n := len(pull.Stats().Peers); n > 0 {
					t.Errorf("%d peers left", n)
				}
				balanced(t, pull)
			})
		})
	}
}
