package socket

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// addNumbered adds n events whose retry times count up from from.
func addNumbered(e *eventLog, from, n int) {
	for i := range n {
		e.add(Event{Kind: Retrying, Retry: time.Duration(from + i)})
	}
}

// wantEvent takes the next event and compares its kind and number.
func wantEvent(t *testing.T, next func() (Event, bool), kind EventKind, number int) {
	t.Helper()
	ev, ok := next()
	if !ok || ev.Kind != kind || ev.Retry != time.Duration(number) {
		t.Fatalf("next is %v (%t), want %v number %d", ev, ok, kind, number)
	}
	if ev.Time.IsZero() {
		t.Fatalf("%v has no time", ev)
	}
}

func wantEnd(t *testing.T, next func() (Event, bool)) {
	t.Helper()
	if ev, ok := next(); ok {
		t.Fatalf("next is %v, want the end", ev)
	}
}

func TestEventsFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log eventLog
		addNumbered(&log, 0, 3) // from before anybody listened
		next, stop := iter.Pull(log.all(t.Context()))
		defer stop()
		for i := range 3 {
			wantEvent(t, next, Retrying, i)
		}
		start := time.Now()
		go func() {
			time.Sleep(time.Minute)
			addNumbered(&log, 3, 1)
		}()
		wantEvent(t, next, Retrying, 3) // waits for it
		if d := time.Since(start); d != time.Minute {
			t.Errorf("it came after %v, want a minute", d)
		}
	})
}

func TestEventsGetTheirTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log eventLog
		start := time.Now()
		log.add(Event{Kind: Listening, Time: start.Add(time.Hour)}) // what the caller sets does not count
		time.Sleep(time.Second)
		log.add(Event{Kind: Closed})
		var times []time.Duration
		for ev := range log.all(t.Context()) {
			times = append(times, ev.Time.Sub(start))
		}
		if len(times) != 2 || times[0] != 0 || times[1] != time.Second {
			t.Errorf("times after the start are %v, want 0s and 1s", times)
		}
	})
}

func TestEventsMissed(t *testing.T) {
	for _, c := range []struct {
		name         string
		read, behind int // events read before so many more came
		missed       int
	}{
		{"none", 1, maxEvents, 0},
		{"one", 1, maxEvents + 1, 1},
		{"several rounds", 5, 3*maxEvents + 7, 2*maxEvents + 7},
	} {
		t.Run(c.name, func(t *testing.T) {
			var log eventLog
			addNumbered(&log, 0, c.read)
			next, stop := iter.Pull(log.all(t.Context()))
			defer stop()
			for i := range c.read {
				wantEvent(t, next, Retrying, i)
			}
			addNumbered(&log, c.read, c.behind)
			if c.missed > 0 {
				if ev, ok := next(); !ok || ev.Kind != Missed || ev.Count != uint64(c.missed) || ev.Time.IsZero() {
					t.Fatalf("next is %v (%t), want %d missed", ev, ok, c.missed)
				}
			}
			for i := range c.behind - c.missed {
				wantEvent(t, next, Retrying, c.read+c.missed+i)
			}
			log.add(Event{Kind: Closed})
			wantEvent(t, next, Closed, 0)
			wantEnd(t, next)
		})
	}
}

// Somebody who comes late has not missed what was forgotten before.
func TestEventsOfALateReader(t *testing.T) {
	var log eventLog
	addNumbered(&log, 0, maxEvents+100)
	next, stop := iter.Pull(log.all(t.Context()))
	defer stop()
	for i := range maxEvents {
		wantEvent(t, next, Retrying, 100+i)
	}
}

func TestEventsEnd(t *testing.T) {
	t.Run("closed while a reader waits", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var log eventLog
			got := make(chan EventKind, 9)
			go func() {
				defer close(got)
				for ev := range log.all(context.WithoutCancel(t.Context())) {
					got <- ev.Kind
				}
			}()
			synctest.Wait()
			log.add(Event{Kind: Closed})
			log.add(Event{Kind: PeerDown}) // too late
			if k := <-got; k != Closed {
				t.Errorf("the first event is %v, want closed", k)
			}
			if k, more := <-got; more {
				t.Errorf("%v came after closed", k)
			}
		})
	})
	t.Run("closed before anybody reads", func(t *testing.T) {
		var log eventLog
		addNumbered(&log, 0, 1)
		log.add(Event{Kind: Closed})
		next, stop := iter.Pull(log.all(t.Context()))
		defer stop()
		wantEvent(t, next, Retrying, 0)
		wantEvent(t, next, Closed, 0)
		wantEnd(t, next)
	})
	t.Run("the context ends while a reader waits", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var log eventLog
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			addNumbered(&log, 0, 2)
			n := 0
			for range log.all(ctx) {
				n++
			}
			if n != 2 || ctx.Err() == nil {
				t.Errorf("%d events and context error %v, want 2 and the end of the context", n, ctx.Err())
			}
		})
	})
	t.Run("the reader stops", func(t *testing.T) {
		var log eventLog
		addNumbered(&log, 0, 5)
		n := 0
		for range log.all(t.Context()) {
			if n++; n == 2 {
				break
			}
		}
		if n != 2 {
			t.Errorf("%d events, want 2", n)
		}
	})
}

// Readers of different speed each see every event once and in order, or are told how many they missed.
func TestEventsManyReaders(t *testing.T) {
	const writers, each = 3, 2000
	var log eventLog
	log.add(Event{Kind: Listening})
	var listening, readers, wg sync.WaitGroup
	written := make(chan struct{})
	for r := range 6 {
		listening.Add(1)
		readers.Go(func() {
			last := make([]uint64, writers) // the number of each writer's last event
			seen, missed := uint64(0), uint64(0)
			for ev := range log.all(t.Context()) {
				switch ev.Kind {
				case Listening:
					listening.Done()
					if r == 0 {
						<-written // the slowest of all
					}
				case Missed:
					missed += ev.Count
				case Retrying:
					seen++
					if w := ev.Retry; ev.Count <= last[w] {
						t.Errorf("reader %d: event %d of writer %d after %d", r, ev.Count, w, last[w])
					} else {
						last[w] = ev.Count
					}
				case Closed:
					seen++
				}
			}
			if seen+missed != writers*each+1 || r == 0 && missed == 0 {
				t.Errorf("reader %d saw %d and missed %d, want %d together", r, seen, missed, writers*each+1)
			}
		})
	}
	listening.Wait()
	for w := range writers {
		wg.Go(func() {
			for i := range uint64(each) {
				log.add(Event{Kind: Retrying, Retry: time.Duration(w), Count: i + 1})
			}
		})
	}
	wg.Wait()
	close(written)
	log.add(Event{Kind: Closed})
	readers.Wait()
}

func TestEventsToALogger(t *testing.T) {
	var out bytes.Buffer
	var log eventLog
	log.add(Event{Kind: Listening, Endpoint: "tcp://127.0.0.1:5555"})
	log.add(Event{
		Kind: HandshakeFailed, Endpoint: "tcp://127.0.0.1:5555", Address: "10.0.0.7:4242", Err: ErrTimeout, inbound: true,
	})
	log.add(Event{Kind: Accepted}) // below the level
	log.add(Event{Kind: Closed})
	log.logTo(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{
		Level: slog.LevelInfo,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	})), "")
	want := `level=INFO msg="yodel: listening" endpoint=tcp://127.0.0.1:5555
level=WARN msg="yodel: handshake failed" endpoint=tcp://127.0.0.1:5555 address=10.0.0.7:4242 err="timed out" attempts=1
level=INFO msg="yodel: closed"
`
	if out.String() != want {
		t.Errorf("the log is\n%swant\n%s", &out, want)
	}
}

// WithLogger's goroutine ends with the socket, and has written everything by then.
func TestLoggerEndsWithTheSocket(t *testing.T) {
	var out bytes.Buffer
	s := NewPull(WithLogger(slog.New(slog.NewTextHandler(&out, nil))))
	if _, err := s.Bind(t.Context(), fmt.Sprintf("inproc://%p", s)); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"yodel: listening", "yodel: closed"} {
		if !bytes.Contains(out.Bytes(), []byte(want)) { // no lock: the logger must be done
			t.Errorf("the log does not have %q:\n%s", want, &out)
		}
	}
}
