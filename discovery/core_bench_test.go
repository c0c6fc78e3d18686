package discovery_test

import (
	"testing"
	"time"

	"github.com/yodel-mq/yodel/discovery"
)

func BenchmarkParseTXT(b *testing.B) {
	txt, err := full.TXT()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := discovery.ParseTXT(txt); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTXT(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := full.TXT(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	for name, c := range proving(b) {
		b.Run(name, func(b *testing.B) {
			r := c.r.Clone()
			if err := c.trust.Seal(&r); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := c.trust.Verify(&r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkPut takes announcements of 1000 nodes: repeated ones, which is what nearly all are, and those of nodes
// that are new.
func BenchmarkPut(b *testing.B) {
	b.Run("refresh", func(b *testing.B) {
		table := discovery.NewTable("test", discovery.TableConfig{})
		defer table.Close()
		records := make([]discovery.Record, 1000)
		for i := range records {
			records[i] = sample(i)
		}
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if err := table.Put(records[i%len(records)], time.Minute); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("new", func(b *testing.B) {
		table := discovery.NewTable("test", discovery.TableConfig{Limits: discovery.Limits{Nodes: 1000}})
		defer table.Close()
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if err := table.Put(sample(i), time.Minute); err != nil {
				b.Fatal(err)
			}
		}
	})
}
