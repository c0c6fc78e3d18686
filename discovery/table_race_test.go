package discovery_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/discovery"
)

// Everything at once, for the race detector; and what the readers are told adds up.
func TestTableConcurrently(t *testing.T) {
	t.Parallel()
	table := discovery.NewTable("test", discovery.TableConfig{Limits: discovery.Limits{Nodes: 20}})
	merged := discovery.Merge(&netBackend{name: "a", table: table})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var writers, readers sync.WaitGroup
	for _, w := range []discovery.Watcher{table, table, merged} {
		events, err := w.Watch(ctx, discovery.Query{Service: "orders"})
		if err != nil {
			t.Fatal(err)
		}
		readers.Go(func() {
			believes := map[discovery.ID]discovery.Event{}
			for ev := range events {
				if ev.Kind == discovery.Trouble || ev.Kind == discovery.Synced {
					continue
				}
				ev.Record.Revision = 0 // after Drop an older one may come
				if err := believe(believes, ev); err != nil {
					t.Errorf("told %v of %v: %v", ev.Kind, ev.Record.ID, err)
					cancel()
				}
				scribbleOver(&ev.Record)
			}
		})
	}
	for writer := range 4 {
		writers.Go(func() {
			for i := range 500 {
				r := rev(sample(i%25), uint64(i))
				if i%11 == 0 {
					r.Services[0].Name = "bills"
				}
				var err error
				switch (i + writer) % 9 {
				case 0:
					err = table.Leave(bye(r))
				case 1:
					table.Suspect(r.ID, time.Microsecond)
				case 2:
					table.Drop(r.ID, discovery.Left)
				case 3:
					table.Records(discovery.Query{})
					table.Stats()
				case 4:
					table.Sync()
					table.Trouble(discovery.ErrLimit)
				default:
					err = table.Put(r, time.Minute)
				}
				if err != nil && !errors.Is(err, discovery.ErrStale) && !errors.Is(err, discovery.ErrLimit) {
					t.Errorf("writer %d: %v", writer, err)
				}
			}
		})
	}
	writers.Wait()
	table.Close()
	cancel()
	readers.Wait()
}

// scribbleOver writes to what a reader was given, which is its own.
func scribbleOver(r *discovery.Record) {
	for i := range r.Services {
		r.Services[i].Name = "mine"
	}
	for i := range r.Addrs {
		r.Addrs[i] = r.Addrs[i].Next()
	}
}
