package main

import (
	"context"
	"errors"
	"iter"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/patterns/rpc"
	"github.com/yodel-mq/yodel/socket"
)

func yodelRoles() map[string]role {
	l := &library{serve: serveYodel, dial: dialYodel}
	return with(l.roles(calls, idles, cancels, callsNobody, floods, consumes, stalls), map[string]role{
		publishes:     typedPublish,
		bursts:        func(ctx context.Context, c *console, j job) error { return burst(ctx, c, openPubSub, j) },
		subscribes:    func(ctx context.Context, c *console, j job) error { return sub(ctx, c, openPubSub, j) },
		pushes:        pushJobs,
		pushesBatches: pushJobs,
		works:         workJobs,
		benchmarks:    goTest,
		restarts:      restart,
		servesRestart: serveRestarts,
		kills:         kill,
		killed:        workUntilKilled,
	})
}

func typedPublish(ctx context.Context, c *console, j job) error { return pub(ctx, c, openPubSub, j) }

type yodelService struct {
	*rpc.Service
	at string
}

func (s *yodelService) Endpoint() string { return s.at }

func serveYodel(ctx context.Context, j job, m methods) (service, error) {
	s := &yodelService{Service: rpc.NewService(rpc.WithCodec(patterns.Bytes()))}
	for name, h := range m.calls {
		rpc.Handle(s.Service, name, h)
	}
	if m.items != nil {
		rpc.HandleSource(s.Service, "items", func(ctx context.Context, _ []byte) iter.Seq2[[]byte, error] {
			return m.items(ctx)
		})
	}
	var err error
	if s.at, err = s.Bind(ctx, j.Endpoint); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

type yodelClient struct {
	c    *rpc.Client
	opts []rpc.CallOption
}

func dialYodel(_ context.Context, j job) (client, error) {
	c := &yodelClient{c: rpc.NewClient(rpc.WithCodec(patterns.Bytes()))}
	if j.Role == floods {
		c.opts = append(c.opts, rpc.Attempts(1)) // the load is what it is said to be
	}
	return c, c.c.Connect(j.Endpoint)
}

func (c *yodelClient) Call(ctx context.Context, method string, body []byte) ([]byte, error) {
	reply, err := rpc.Call[[]byte](ctx, c.c, method, body, c.opts...)
	switch {
	case err == nil:
	case errors.Is(err, rpc.ErrOverloaded):
		err = errRefused
	case errors.Is(err, rpc.ErrNoResponders):
		err = errNobody
	}
	return reply, err
}

func (c *yodelClient) Items(ctx context.Context) iter.Seq2[[]byte, error] {
	return rpc.Source[[]byte](ctx, c.c, "items", []byte(nil), c.opts...)
}

func (c *yodelClient) Close() error { return c.c.Close() }

// Without patterns there are REQ and REP for calls, PUSH and PULL for a stream, PUB and SUB.
func socketRoles() map[string]role {
	as := func(name string, do func(context.Context, *console, opener, job) error) role {
		return func(ctx context.Context, c *console, j job) error {
			j.Role = name
			return do(ctx, c, openSocket, j)
		}
	}
	l := &library{serve: serveSocket, dial: dialSocket}
	return with(l.roles(calls), map[string]role{
		produces: as("pull", pull), consumes: as("push", push), // who binds receives, which makes no difference
		publishes: as("pub", pub), bursts: as("pub", burst), subscribes: as("sub", sub),
	})
}

func openSocket(ctx context.Context, role string, j job) (conn, error) {
	return openYodel(ctx, role, j, nil)
}

// A socketService is a REP that echoes.
type socketService struct {
	rep  *socket.Rep
	at   string
	done chan struct{}
}

func serveSocket(ctx context.Context, j job, _ methods) (service, error) {
	s := &socketService{rep: socket.NewRep(), done: make(chan struct{})}
	var err error
	if s.at, err = s.rep.Bind(ctx, j.Endpoint); err != nil {
		return nil, err
	}
	go func() {
		defer close(s.done)
		for m, err := range s.rep.Messages(ctx) {
			if err != nil || s.rep.Send(ctx, m) != nil {
				return
			}
		}
	}()
	return s, nil
}

func (s *socketService) Endpoint() string { return s.at }

func (s *socketService) Close() error {
	err := s.rep.Close()
	<-s.done
	return err
}

// A socketClient is a REQ, for one caller.
type socketClient struct{ req *socket.Req }

func dialSocket(_ context.Context, j job) (client, error) {
	c := &socketClient{socket.NewReq()}
	return c, c.req.Connect(j.Endpoint)
}

func (c *socketClient) Call(ctx context.Context, _ string, body []byte) ([]byte, error) {
	if err := c.req.Send(ctx, socket.NewMsg(body)); err != nil {
		return nil, err
	}
	m, err := c.req.Recv(ctx)
	if err != nil {
		return nil, err
	}
	return m.Frames[0], nil
}

func (c *socketClient) Close() error { return c.req.Close() }
