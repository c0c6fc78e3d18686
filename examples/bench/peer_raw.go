package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"runtime"
	"strings"
	"time"
)

func rawPeer() *peer {
	return &peer{
		name:    "raw",
		version: func(context.Context, string) (string, error) { return "net of " + runtime.Version(), nil },
		open:    openRaw,
		most: func(w *work, _ bool) int {
			switch {
			case w.Kind == crowded:
				return math.MaxInt
			case w.Transport == "inproc" || w.Kind != oneWay && w.Kind != roundTrip || w.Kind == oneWay && w.Size < 1<<10:
				return 0
			}
			return math.MaxInt
		},
	}
}

const rawBuffer = 256 << 10

// A rawConn is a stream on which messages are so many bytes. One way it writes and reads up to 256 KiB at a time, from
// and to one buffer; round trips go one by one. The buffer is never looked at.
type rawConn struct {
	ln      net.Listener
	nc      net.Conn
	size    int
	buf     []byte
	batch   int // bytes to write at once, a whole number of messages
	pending int // bytes sent and not yet written
	streams chan arrival
	unread  int // bytes read and not yet received
}

func openRaw(ctx context.Context, role string, j job) (conn, error) {
	network, address, _ := strings.Cut(j.Endpoint, "://")
	if network == "ipc" {
		network = "unix"
	}
	c := &rawConn{size: j.Size, buf: make([]byte, max(rawBuffer, j.Size)), batch: max(1, rawBuffer/j.Size) * j.Size}
	var err error
	switch role {
	case "pull", "rep":
		c.ln, err = new(net.ListenConfig).Listen(ctx, network, address)
	case "push", "req":
		c.nc, err = new(net.Dialer).DialContext(ctx, network, address)
	default:
		err = fmt.Errorf("bench: raw sockets have no role %q", role)
	}
	return c, err
}

func (c *rawConn) Endpoint() string {
	a := c.ln.Addr()
	if a.Network() == "unix" {
		return "ipc://" + a.String()
	}
	return "tcp://" + a.String()
}

// Subscribe is never asked for: raw sockets publish nothing.
func (c *rawConn) Subscribe(string) error { return errors.ErrUnsupported }

func (c *rawConn) accept() (err error) {
	if c.nc == nil {
		c.nc, err = c.ln.Accept()
	}
	return err
}

func (c *rawConn) Send(context.Context, int) error {
	if c.pending += c.size; c.pending < c.batch {
		return nil
	}
	return c.flush()
}

func (c *rawConn) flush() error {
	if c.pending == 0 { // to write nothing is an error on a unix socket whose other end has closed
		return nil
	}
	_, err := c.nc.Write(c.buf[:c.pending])
	c.pending = 0
	return err
}

func (c *rawConn) Recv(context.Context) (int, error) {
	if err := c.accept(); err != nil {
		return 0, err
	}
	for c.unread < c.size {
		n, err := c.nc.Read(c.buf)
		if err != nil {
			return 0, err
		}
		c.unread += n
	}
	c.unread -= c.size
	return c.size, nil
}

func (c *rawConn) SendStamped(context.Context) error {
	stamp(c.buf)
	_, err := c.nc.Write(c.buf[:c.size])
	return err
}

// An arrival is what a goroutine that reads one of two streams has to say.
type arrival struct {
	size int
	age  time.Duration
	err  error
}

// RecvStamped takes from two streams, which a goroutine each reads: a quiet one, message by message, and a busy one,
// whose messages are counted by the read. Which is which it knows by the first byte: nobody stamps the busy ones.
func (c *rawConn) RecvStamped(context.Context) (size int, since time.Duration, err error) {
	if c.streams == nil {
		c.streams = make(chan arrival)
		for range 2 {
			nc, err := c.ln.Accept()
			if err != nil {
				return 0, 0, err
			}
			go c.readStamped(nc)
		}
	}
	a := <-c.streams
	return a.size, a.age, a.err
}

func (c *rawConn) readStamped(nc net.Conn) {
	buf := make([]byte, rawBuffer)
	for {
		n, err := nc.Read(buf)
		switch {
		case errors.Is(err, io.EOF):
			return
		case err != nil:
			c.streams <- arrival{err: err}
			return
		case binary.NativeEndian.Uint64(buf) == 0:
			c.streams <- arrival{size: c.size}
		default:
			for b := buf[:n]; len(b) > c.size; b = b[c.size+1:] { // several, if this goroutine was late
				c.streams <- arrival{size: c.size + 1, age: age(b)}
			}
		}
	}
}

func (c *rawConn) Echo(context.Context) error {
	if err := c.accept(); err != nil {
		return err
	}
	if _, err := io.ReadFull(c.nc, c.buf[:c.size]); err != nil {
		return err
	}
	_, err := c.nc.Write(c.buf[:c.size])
	return err
}

func (c *rawConn) Trip(context.Context) error {
	if _, err := c.nc.Write(c.buf[:c.size]); err != nil {
		return err
	}
	_, err := io.ReadFull(c.nc, c.buf[:c.size])
	return err
}

func (c *rawConn) Close(context.Context) error {
	if c.nc == nil {
		return nil
	}
	if err := c.flush(); err != nil {
		return err
	}
	return c.nc.Close()
}
