package patterns

import (
	"testing"
	"time"
)

func callHead() Head {
	return Head{Method: "orders.create", Left: 5 * time.Second, Headers: Headers{
		"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	}}
}

// Figures to hold: at most 50 ns to append the head of a call and 200 ns to parse it.
func BenchmarkHead(b *testing.B) {
	plain, traced := callHead(), callHead()
	plain.Headers = nil
	for _, tt := range []struct {
		name string
		head Head
	}{{"call", plain}, {"traced", traced}} {
		data := tt.head.AppendTo(nil)
		b.Run("append/"+tt.name, func(b *testing.B) {
			b.ReportAllocs()
			buf := make([]byte, 0, 256)
			for b.Loop() {
				buf = tt.head.AppendTo(buf[:0])
			}
		})
		b.Run("parse/"+tt.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ParseHead(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

type benchOrder struct {
	ID    uint64   `msgpack:"id"`
	Name  string   `msgpack:"name"`
	Lines []string `msgpack:"lines"`
	Price float64  `msgpack:"price"`
}

func BenchmarkScan(b *testing.B) {
	c := Msgpack(Limits{})
	small, _ := c.Append(nil, map[string]int{"a": 1, "b": 2})
	orders := make([]benchOrder, 1000)
	for i := range orders {
		orders[i] = benchOrder{uint64(i), "an order of some length", []string{"one", "two", "three"}, 17.5}
	}
	large, _ := c.Append(nil, orders)
	limits := budget{depth: defaultDepth, elements: defaultElements, memory: defaultMemory}
	for name, data := range map[string][]byte{"small": small, "large": large} {
		b.Run("scan/"+name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := scan(data, &limits); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("decode/"+name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if name == "small" {
					var m map[string]int
					_ = c.Decode(data, &m)
				} else {
					var o []benchOrder
					if err := c.Decode(data, &o); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
		b.Run("encode/"+name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			buf := make([]byte, 0, 1<<17)
			for b.Loop() {
				var err error
				if name == "small" {
					buf, err = c.Append(buf[:0], benchOrder{})
				} else {
					buf, err = c.Append(buf[:0], orders)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
