package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/yodel-mq/yodel/socket/spool"
)

// noise is a body that nothing compresses.
func noise(size int, seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// An own is the spool.
type own struct {
	s      *spool.Spool
	c      *spool.Cursor
	settle bool
}

func openOwn(dir string, c cell) (store, error) {
	opts := spool.Options{MaxBytes: -1}
	if c.Slow {
		fs, err := newSlowFS(dir, time.Millisecond)
		if err != nil {
			return nil, err
		}
		opts.FS = fs
	}
	s, err := spool.Open(dir, opts)
	if err != nil {
		return nil, err
	}
	cur, err := s.Cursor("", spool.CursorOptions{})
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return &own{s, cur, c.Settle}, nil
}

func (o *own) append(ctx context.Context, bodies [][]byte) error {
	if len(bodies) == 1 {
		seq, err := o.s.Append(ctx, spool.Message{Frames: bodies})
		if err == nil && o.settle {
			o.c.Settle(spool.Range{From: seq, To: seq + 1})
		}
		return err
	}
	t := o.s.Begin()
	for i := range bodies {
		if err := t.Append(spool.Message{Frames: bodies[i : i+1]}); err != nil {
			return err
		}
	}
	_, err := t.Commit(ctx)
	return err
}

func (o *own) close() error { return o.s.Close() }

// A stream is NATS's own store, in this process, which syncs each message.
type stream struct {
	server *server.Server
	nc     *nats.Conn
	js     nats.JetStreamContext
}

func openJetStream(dir string) (store, error) {
	s, err := server.NewServer(&server.Options{
		DontListen: true, NoLog: true, NoSigs: true, JetStream: true, StoreDir: dir, SyncAlways: true,
	})
	if err != nil {
		return nil, err
	}
	go s.Start()
	j := &stream{server: s}
	if !s.ReadyForConnections(10 * time.Second) {
		return nil, errors.Join(errors.New("bench: JetStream is not ready after 10 s"), j.close())
	}
	if j.nc, err = nats.Connect("", nats.InProcessServer(s)); err != nil {
		return nil, errors.Join(err, j.close())
	}
	if j.js, err = j.nc.JetStream(); err == nil {
		_, err = j.js.AddStream(&nats.StreamConfig{Name: "s", Subjects: []string{"s"}, Storage: nats.FileStorage})
	}
	if err != nil {
		return nil, errors.Join(err, j.close())
	}
	return j, nil
}

func (j *stream) append(_ context.Context, bodies [][]byte) error {
	for _, b := range bodies {
		if _, err := j.js.Publish("s", b, nats.AckWait(time.Minute)); err != nil {
			return err
		}
	}
	return nil
}

func (j *stream) close() error {
	if j.nc != nil {
		j.nc.Close()
	}
	j.server.Shutdown()
	j.server.WaitForShutdown()
	return nil
}
