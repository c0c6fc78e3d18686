package socket_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/yodel-mq/yodel/socket"
)

// benchTransports are the endpoints to bind, in the order to report them.
var benchTransports = []struct{ name, endpoint string }{
	{"tcp", "tcp://127.0.0.1:*"},
	{"ipc", "ipc://*"},
	{"inproc", "inproc://bench"},
}

// BenchmarkPushPull is a stream from one socket to another; an operation is one message, sent and received.
func BenchmarkPushPull(b *testing.B) {
	for _, tr := range benchTransports {
		for _, size := range []int{16, 1024, 65536} {
			b.Run(fmt.Sprintf("%s/%d", tr.name, size), func(b *testing.B) {
				push, pull := socket.NewPush(), socket.NewPull()
				defer push.Close()
				defer pull.Close()
				link(b, pull, push, tr.endpoint)
				ctx, m := b.Context(), socket.NewMsg(make([]byte, size))
				done := make(chan error, 1)
				b.SetBytes(int64(size))
				b.ReportAllocs()
				b.ResetTimer()
				go func() { done <- take(ctx, pull, b.N) }()
				for range b.N {
					if err := push.Send(ctx, m); err != nil {
						b.Fatal(err)
					}
				}
				must(b, <-done)
			})
		}
	}
}

// take receives n messages.
func take(ctx context.Context, s socket.Receiver, n int) error {
	for range n {
		if _, err := s.Recv(ctx); err != nil {
			return err
		}
	}
	return nil
}

// BenchmarkReqRep is one round trip after another of 16 bytes.
func BenchmarkReqRep(b *testing.B) {
	for _, tr := range benchTransports {
		b.Run(tr.name, func(b *testing.B) {
			req, rep := socket.NewReq(), socket.NewRep()
			defer req.Close()
			defer rep.Close()
			link(b, rep, req, tr.endpoint)
			ctx, m := b.Context(), socket.NewMsg(make([]byte, 16))
			go answer(ctx, rep)
			b.ReportAllocs()
			for b.Loop() {
				if err := req.Send(ctx, m); err != nil {
					b.Fatal(err)
				}
				if _, err := req.Recv(ctx); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkPubSub is a stream of 100 bytes to eight subscribers; an operation is one message, sent once and received
// eight times. The publisher waits for its subscribers, so that all of them get all of it.
func BenchmarkPubSub(b *testing.B) {
	const subscribers, size = 8, 100
	for _, tr := range benchTransports {
		for _, subscriptions := range []int{1, 10_000} {
			b.Run(fmt.Sprintf("%s/%d", tr.name, subscriptions), func(b *testing.B) {
				pub := socket.NewPub(socket.WithOverflow(socket.Block))
				defer pub.Close()
				ctx := b.Context()
				at := bind(b, pub, tr.endpoint)
				subs := make([]*socket.Sub, subscribers)
				for i := range subs {
					subs[i] = socket.NewSub()
					defer subs[i].Close()
					connect(b, subs[i], at)
					waitPeers(b, subs[i], 1)
					for k := 1; i == 0 && k < subscriptions; k++ {
						must(b, subs[i].Subscribe(fmt.Sprint("another topic ", k)))
					}
					must(b, subs[i].Subscribe("the topic"))
				}
				must(b, pub.WaitSubscribers(within(b), "the topic", subscribers))
				m := socket.NewMsg(append([]byte("the topic"), make([]byte, size-9)...))
				done := make(chan error, subscribers)
				b.SetBytes(subscribers * size)
				b.ReportAllocs()
				b.ResetTimer()
				for _, s := range subs {
					go func() { done <- take(ctx, s, b.N) }()
				}
				for range b.N {
					if err := pub.Send(ctx, m); err != nil {
						b.Fatal(err)
					}
				}
				for range subs {
					must(b, <-done)
				}
			})
		}
	}
}
