package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/spool"
)

// The whole way of a message from one disk to another: it is synced where it is sent, goes over tcp, and is synced
// where it is received. What counts is what has come out at the far end.

// pathBound is how many messages may be on their way.
const pathBound = 8 << 10

// A path is a Push with a spool and a Pull with an inbox.
type path struct {
	spools []*spool.Spool
	push   *socket.Push
	pull   *socket.Pull
	count  atomic.Int64
	done   chan struct{} // closed when nothing is received any more
}

func openPath(ctx context.Context, dir string) (_ store, err error) {
	p := &path{done: make(chan struct{})}
	for _, name := range []string{"out", "in"} {
		s, err := spool.Open(filepath.Join(dir, name), spool.Options{MaxMessages: pathBound, MaxBytes: -1})
		if err != nil {
			return nil, errors.Join(err, p.closeSpools())
		}
		p.spools = append(p.spools, s)
	}
	p.push, p.pull = socket.NewPush(socket.WithSpool(p.spools[0])), socket.NewPull(socket.WithInbox(p.spools[1]))
	at, err := p.pull.Bind(ctx, "tcp://127.0.0.1:0")
	if err == nil {
		err = p.push.Connect(at)
	}
	go p.receive()
	if err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

func (p *path) receive() {
	defer close(p.done)
	for {
		if _, err := p.pull.Recv(context.Background()); err != nil {
			return
		}
		p.count.Add(1)
	}
}

func (p *path) append(ctx context.Context, bodies [][]byte) error {
	for _, b := range bodies {
		if err := p.push.Send(ctx, socket.NewMsg(b)); err != nil {
			return err
		}
	}
	return nil
}

func (p *path) received() int64 { return p.count.Load() }

func (p *path) close() error {
	err := errors.Join(p.push.Close(), p.pull.Close())
	<-p.done
	return errors.Join(err, p.closeSpools())
}

func (p *path) closeSpools() (err error) {
	for _, s := range p.spools {
		err = errors.Join(err, s.Close())
	}
	return err
}

// A rawPath is the least that such a way can be: the raw floor at either end, and a connection between. Nothing is
// acknowledged, nor ever removed.
type rawPath struct {
	out   store
	in    *os.File
	conns [2]net.Conn
	room  chan struct{}
	sent  chan []byte
	count atomic.Int64
	ended chan error // of the sender and the receiver, when each is done
}

func openRawPath(ctx context.Context, dir string) (_ store, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	p := &rawPath{room: make(chan struct{}, pathBound), sent: make(chan []byte, pathBound), ended: make(chan error, 2)}
	if p.out, err = openFloor(filepath.Join(dir, "out"), false); err != nil {
		return nil, err
	}
	p.in, err = os.OpenFile(filepath.Join(dir, "in"), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err == nil {
		p.conns, err = connected(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, p.out.close())
	}
	go func() { p.ended <- p.send() }()
	go func() { p.ended <- p.receive() }()
	return p, nil
}

// connected returns the two ends of a connection.
func connected(ctx context.Context) (ends [2]net.Conn, err error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return ends, err
	}
	defer l.Close()
	if ends[0], err = (&net.Dialer{}).DialContext(ctx, "tcp", l.Addr().String()); err != nil {
		return ends, err
	}
	ends[1], err = l.Accept()
	return ends, err
}

func (p *rawPath) append(ctx context.Context, bodies [][]byte) error {
	for range bodies {
		p.room <- struct{}{}
	}
	if err := p.out.append(ctx, bodies); err != nil {
		return err
	}
	for _, b := range bodies {
		p.sent <- b
	}
	return nil
}

func (p *rawPath) send() error {
	w := bufio.NewWriterSize(p.conns[0], 64<<10)
	for b := range p.sent {
		size := binary.BigEndian.AppendUint32(nil, uint32(len(b)))
		if _, err := w.Write(append(size, b...)); err != nil {
			return err
		}
		if len(p.sent) == 0 {
			if err := w.Flush(); err != nil {
				return err
			}
		}
	}
	return errors.Join(w.Flush(), p.conns[0].Close())
}

func (p *rawPath) receive() error {
	r := bufio.NewReaderSize(p.conns[1], 256<<10)
	var group []byte
	for {
		group = group[:0]
		n := 0
		for n == 0 || r.Buffered() > 0 && len(group) < rawGroup {
			var size [4]byte
			if _, err := io.ReadFull(r, size[:]); errors.Is(err, io.EOF) && n == 0 {
				return nil
			} else if err != nil {
				return err
			}
			at := len(group)
			group = append(group, make([]byte, binary.BigEndian.Uint32(size[:]))...)
			if _, err := io.ReadFull(r, group[at:]); err != nil {
				return err
			}
			n++
		}
		if _, err := p.in.Write(group); err != nil {
			return err
		}
		if err := syncData(p.in); err != nil {
			return err
		}
		for range n {
			<-p.room
		}
		p.count.Add(int64(n))
	}
}

func (p *rawPath) received() int64 { return p.count.Load() }

func (p *rawPath) close() error {
	close(p.sent)
	return errors.Join(<-p.ended, <-p.ended, p.out.close(), p.in.Close(), p.conns[1].Close())
}
