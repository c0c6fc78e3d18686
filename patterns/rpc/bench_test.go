package rpc_test

import (
	"testing"

	"github.com/yodel-mq/yodel/patterns/rpc"
	"github.com/yodel-mq/yodel/socket"
)

// BenchmarkCall is one caller, one replica, 16 bytes each way, over tcp; BenchmarkReq is what the sockets take for it.
func BenchmarkCall(b *testing.B) {
	s := newService(b)
	c := linked(b, loopback, s)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := add.Call(b.Context(), c, adds{1, 2}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCallParallel is 16 callers a processor.
func BenchmarkCallParallel(b *testing.B) {
	s := newService(b)
	c := linked(b, loopback, s)
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := rpc.Call[sum](b.Context(), c, "add", adds{1, 2}); err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkReq(b *testing.B) {
	rep, req := socket.NewRep(), socket.NewReq()
	defer rep.Close()
	defer req.Close()
	at, err := rep.Bind(b.Context(), loopback)
	must(b, err)
	must(b, req.Connect(at))
	go func() {
		for m, err := range rep.Messages(b.Context()) {
			if err != nil || rep.Send(b.Context(), m) != nil {
				return
			}
		}
	}()
	b.ReportAllocs()
	for b.Loop() {
		if err := req.Send(b.Context(), socket.Text("0123456789abcdef")); err != nil {
			b.Fatal(err)
		}
		if _, err := req.Recv(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
