package zmtp

import (
	"bytes"
	"net"
	"testing"
)

func BenchmarkParseHeader(b *testing.B) {
	for _, bb := range []struct {
		name string
		wire []byte
		n    int
	}{{"short", wire("01 10"), 2}, {"long", wire("02 00 00 00 00 00 01 00 00"), 9}} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, n, err := ParseHeader(bb.wire); n != bb.n || err != nil {
					b.Fatal(n, err)
				}
			}
		})
	}
}

func BenchmarkAppendHeader(b *testing.B) {
	buf := make([]byte, 0, MaxHeaderSize)
	for _, bb := range []struct {
		name string
		size int
	}{{"short", 16}, {"long", 65536}} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				buf = AppendHeader(buf[:0], FlagMore, bb.size)
			}
		})
	}
}

func BenchmarkParseCommand(b *testing.B) {
	for _, bb := range []struct {
		name string
		body []byte
	}{
		{"PING", AppendPing(nil, 0, nil)[2:]},
		{"SUBSCRIBE", AppendSubscribe(nil, v31, []byte("topic"))[2:]},
		{"unknown", AppendCommand(nil, "YODEL", []byte("data"))[2:]},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := ParseCommand(bb.body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParseMetadata(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseMetadata(readyDealer[8:]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkHandshake(b *testing.B) {
	b.Run("scripted", func(b *testing.B) {
		b.ReportAllocs()
		in := bytes.NewReader(nil)
		for b.Loop() {
			in.Reset(peerBytes)
			if _, err := Handshake(b.Context(), &script{in: in}, Config{SocketType: Router}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("pipe", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			ca, cb := net.Pipe()
			da, db := shake(ca, Config{SocketType: Router}), shake(cb, Config{SocketType: Dealer})
			if ra, rb := <-da, <-db; ra.err != nil || rb.err != nil {
				b.Fatal(ra.err, rb.err)
			}
			ca.Close()
			cb.Close()
		}
	})
}

// BenchmarkReader is what a message takes to be decoded, from a source that always fills what it is given.
func BenchmarkReader(b *testing.B) {
	for _, bb := range []struct {
		name    string
		size    int
		recycle bool
	}{
		{"16", 16, false},
		{"100", 100, false},
		{"1024", 1 << 10, false},
		{"10240", 10 << 10, false},
		{"65536", 64 << 10, false},
		{"65536 recycled", 64 << 10, true},
	} {
		b.Run(bb.name, func(b *testing.B) {
			r := NewReader(&endless{in: frame(0, bb.size)}, nil, Limits{})
			b.ReportAllocs()
			b.SetBytes(int64(bb.size))
			var batch [][][]byte
			for b.Loop() {
				for len(batch) == 0 {
					var err error
					if batch, err = r.Next(nil); err != nil {
						b.Fatal(err)
					}
				}
				if bb.recycle {
					Recycle(batch[0])
				}
				batch = batch[1:]
			}
		})
	}
}
