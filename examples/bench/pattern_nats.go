package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nats.go/micro"
)

func natsRoles() map[string]role {
	l := &library{serve: serveMicro, dial: dialNATS, brokered: true}
	return with(l.roles(calls, idles, callsNobody), map[string]role{
		publishes:  func(ctx context.Context, c *console, j job) error { return pub(ctx, c, openNATS, j) },
		subscribes: func(ctx context.Context, c *console, j job) error { return sub(ctx, c, openNATS, j) },
		pushes:     pushJetStream,
		works:      workJetStream,
	})
}

// serveJetStream is the NATS server with JetStream, whose streams are in memory.
func serveJetStream(ctx context.Context, c *console, j job) error {
	dir, err := os.MkdirTemp("", "bench-jetstream-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // what is left there is the system's to clean
	return serveNATSWith(ctx, c, j, dir)
}

type microService struct {
	nc *nats.Conn
	at string
}

func serveMicro(_ context.Context, j job, m methods) (service, error) {
	nc, err := nats.Connect(j.Endpoint, nats.Timeout(10*time.Second))
	if err != nil {
		return nil, err
	}
	s, err := micro.AddService(nc, micro.Config{Name: "bench", Version: "1.0.0"})
	for name, h := range m.calls {
		if err != nil {
			break
		}
		err = s.AddEndpoint(name, micro.ContextHandler(context.Background(), func(ctx context.Context, r micro.Request) {
			out, err := h(ctx, r.Data())
			if err != nil {
				_ = r.Error("500", err.Error(), nil) // the connection is lost, which the caller finds too
				return
			}
			_ = r.Respond(out)
		}))
	}
	if err == nil {
		err = nc.Flush()
	}
	if err != nil {
		nc.Close()
		return nil, err
	}
	return &microService{nc, j.Endpoint}, nil
}

func (s *microService) Endpoint() string { return s.at }

func (s *microService) Close() error {
	s.nc.Close()
	return nil
}

type natsClient struct{ nc *nats.Conn }

func dialNATS(_ context.Context, j job) (client, error) {
	nc, err := nats.Connect(j.Endpoint, nats.Timeout(10*time.Second))
	return &natsClient{nc}, err
}

func (c *natsClient) Call(ctx context.Context, method string, body []byte) ([]byte, error) {
	m, err := c.nc.RequestWithContext(ctx, method, body)
	if errors.Is(err, nats.ErrNoResponders) {
		return nil, errNobody
	}
	if err != nil {
		return nil, err
	}
	return m.Data, nil
}

func (c *natsClient) Close() error {
	c.nc.Close()
	return nil
}

const jobSubject = "jobs"

func openStream(ctx context.Context, j job) (*nats.Conn, jetstream.JetStream, jetstream.Stream, error) {
	nc, err := nats.Connect(j.Endpoint, nats.Timeout(10*time.Second))
	if err != nil {
		return nil, nil, nil, err
	}
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(outstanding))
	if err != nil {
		return nil, nil, nil, err
	}
	s, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name: jobSubject, Subjects: []string{jobSubject}, Storage: jetstream.MemoryStorage,
		Retention: jetstream.WorkQueuePolicy,
	})
	return nc, js, s, err
}

// pushJetStream gives jobs to a work queue in memory, many at once. Its clock ends when none is left there: all are
// acknowledged.
func pushJetStream(ctx context.Context, c *console, j job) error {
	nc, js, stream, err := openStream(ctx, j)
	if err != nil {
		return err
	}
	defer nc.Close()
	if err := c.say("ready", j.Endpoint); err != nil {
		return err
	}
	body := make([]byte, j.Size)
	r, err := pushing(j, func(n int) error {
		for range n {
			if _, err := js.PublishAsync(jobSubject, body, jetstream.WithStallWait(time.Minute)); err != nil {
				return err
			}
		}
		select {
		case <-js.PublishAsyncComplete():
		case <-ctx.Done():
			return ctx.Err()
		}
		for {
			info, err := stream.Info(ctx)
			if err != nil || info.State.Msgs == 0 {
				return err
			}
			time.Sleep(time.Millisecond)
		}
	})
	if err != nil {
		return err
	}
	return c.linger(ctx, r)
}

// workJetStream acknowledges jobs as they come until the other side has its result.
func workJetStream(ctx context.Context, c *console, j job) error {
	nc, _, stream, err := openStream(ctx, j)
	if err != nil {
		return err
	}
	defer nc.Close()
	worker, err := stream.CreateOrUpdateConsumer(ctx, jetstream.ConsumerConfig{
		Durable: "worker", AckPolicy: jetstream.AckExplicitPolicy, MaxAckPending: outstanding,
	})
	if err != nil {
		return err
	}
	it, err := worker.Messages(jetstream.PullMaxMessages(prefetch))
	if err != nil {
		return err
	}
	return working(ctx, c, j, it.Stop, func() error {
		for {
			m, err := it.Next()
			if errors.Is(err, jetstream.ErrMsgIteratorClosed) {
				return nil
			}
			if err == nil {
				err = m.Ack()
			}
			if err != nil {
				return fmt.Errorf("bench: worker of JetStream: %w", err)
			}
		}
	})
}
