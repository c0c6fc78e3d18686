package main

import (
	"context"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport"
)

// throughput is the result of recv, subscribe and inproc.
type throughput struct {
	MsgsPerS float64 `json:"msgs_per_s"`
	MBPerS   float64 `json:"mb_per_s"`
	Count    int     `json:"count"`
	Size     int     `json:"size"`
}

func (b *bench) recv(ctx context.Context, endpoint string) error {
	sock := socket.NewPull(benchOptions[socket.PullOption](b)...)
	defer sock.Close()
	if err := b.bind(ctx, sock, endpoint); err != nil {
		return err
	}
	return b.measure(ctx, sock)
}

func (b *bench) subscribe(ctx context.Context, endpoint string) error {
	sock := socket.NewSub(append(benchOptions[socket.SubOption](b), socket.WithSubscription(""))...)
	defer sock.Close()
	if err := b.connect(sock, endpoint); err != nil {
		return err
	}
	return b.measure(ctx, sock)
}

func (b *bench) send(ctx context.Context, endpoint string) error {
	sock := socket.NewPush(benchOptions[socket.PushOption](b)...)
	defer sock.Close()
	if err := b.connect(sock, endpoint); err != nil {
		return err
	}
	return b.feed(ctx, sock)
}

func (b *bench) publish(ctx context.Context, endpoint string) error {
	sock := socket.NewPub(append(benchOptions[socket.PubOption](b), socket.WithOverflow(socket.Block))...)
	defer sock.Close()
	if err := b.bind(ctx, sock, endpoint); err != nil {
		return err
	}
	guarded, done := b.guard(ctx, sock)
	if err := done(sock.WaitSubscribers(guarded, string(b.body().Frames[0]), b.subscribers)); err != nil {
		return err
	}
	return b.feed(ctx, sock)
}

// inproc runs both sides, over a name space of its own.
func (b *bench) inproc(ctx context.Context, _ string) error {
	own := socket.WithTransport(transport.NewInproc())
	pull := socket.NewPull(append(benchOptions[socket.PullOption](b), own)...)
	defer pull.Close()
	push := socket.NewPush(append(benchOptions[socket.PushOption](b), own)...)
	defer push.Close()
	if _, err := pull.Bind(ctx, "inproc://bench"); err != nil {
		return err
	}
	if err := push.Connect("inproc://bench"); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	fed := make(chan error, 1)
	go func() { fed <- b.feed(ctx, push) }()
	err := b.measure(ctx, pull)
	if err != nil {
		cancel()
	}
	if e := <-fed; err == nil {
		err = e
	}
	return err
}

// feed sends all messages and waits until they have left.
func (b *bench) feed(ctx context.Context, sock socket.Sender) error {
	guarded, done := b.guard(ctx, sock)
	m := b.body()
	for range b.count {
		if err := sock.Send(guarded, m); err != nil {
			return done(err)
		}
	}
	return done(sock.Shutdown(guarded))
}

// measure receives all messages and prints the result. The first starts the clock and is not itself measured.
func (b *bench) measure(ctx context.Context, sock socket.Receiver) error {
	guarded, done := b.guard(ctx, sock)
	m, err := sock.Recv(guarded)
	begin := time.Now()
	for n := 1; ; n++ {
		switch {
		case err != nil:
			return done(err)
		case m.Size() != b.size:
			_ = done(nil)
			return failf("message %d has %d bytes, not %d: start both sides with the same --size", n, m.Size(), b.size)
		}
		if n == b.count {
			break
		}
		m, err = sock.Recv(guarded)
	}
	elapsed := time.Since(begin)
	_ = done(nil)
	rate := 0.0
	if elapsed > 0 {
		rate = float64(b.count-1) / elapsed.Seconds()
	}
	return b.printJSON(throughput{round(rate, 1), round(rate*float64(b.size)/1e6, 3), b.count, b.size})
}
