package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A dead address does not answer; a live one answers after rtt.
func dialDead(
	live func(i int) bool, rtt time.Duration, open *atomic.Int64,
) func(context.Context, int) (net.Conn, error) {
	return func(ctx context.Context, i int) (net.Conn, error) {
		var answer <-chan time.Time
		if live(i) {
			answer = time.After(rtt)
		}
		select {
		case <-answer:
			open.Add(1)
			return &countedConn{number: i, open: open}, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// countedConn is a connection of which only Close works.
type countedConn struct {
	net.Conn
	number int
	open   *atomic.Int64
}

func (c *countedConn) Close() error { c.open.Add(-1); return nil }

// However many addresses of a name are dead, and however short the time, the one that lives gets its turn.
func TestEveryAddressGetsItsTurn(t *testing.T) {
	for _, timeout := range []time.Duration{
		time.Second, 2 * time.Second, 3 * time.Second, 5 * time.Second, 10 * time.Second,
	} {
		for _, dead := range []int{1, 2, 4, 6, 30, 100} {
			t.Run(fmt.Sprintf("%d dead, %v", dead, timeout), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					ctx, cancel := context.WithTimeout(t.Context(), timeout)
					defer cancel()
					var open atomic.Int64
					began := time.Now()
					conn, err := dialEach(ctx, dead+1, dialDead(func(i int) bool { return i == dead }, 100*time.Millisecond, &open))
					if err != nil {
						t.Fatalf("after %v: %v", time.Since(began), err)
					}
					if most := time.Duration(dead)*attemptDelay + 100*time.Millisecond; time.Since(began) > most {
						t.Errorf("it took %v, want at most %v", time.Since(began), most)
					}
					if conn.(*countedConn).number != dead || open.Load() != 1 {
						t.Errorf("connected to number %d, %d are open", conn.(*countedConn).number, open.Load())
					}
				})
			})
		}
	}
}

func TestDialEach(t *testing.T) {
	all := func(int) bool { return true }
	for _, tc := range []struct {
		name  string
		n     int
		rtt   time.Duration
		live  func(int) bool
		limit time.Duration // 0 is none
		won   int           // -1 is none
		took  time.Duration
	}{
		{"the first that answers in time is not disturbed", 3, 200 * time.Millisecond, all, 0, 0, 200 * time.Millisecond},
		{"a slow first one is waited for beside the second", 2, 400 * time.Millisecond, all, 0, 0, 400 * time.Millisecond},
		{
			"a dead first one costs one delay", 2, 10 * time.Millisecond, func(i int) bool { return i == 1 }, 0, 1,
			260 * time.Millisecond,
		},
		{"all dead", 3, 0, func(int) bool { return false }, 2 * time.Second, -1, 2 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				if tc.limit > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tc.limit)
					defer cancel()
				}
				var open atomic.Int64
				began := time.Now()
				conn, err := dialEach(ctx, tc.n, dialDead(tc.live, tc.rtt, &open))
				if took := time.Since(began); took != tc.took {
					t.Errorf("it took %v, want %v", took, tc.took)
				}
				if tc.won < 0 {
					if !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("got %v", err)
					}
					return
				}
				if err != nil || conn.(*countedConn).number != tc.won || open.Load() != 1 {
					t.Errorf("got %v, %v, and %d are open", conn, err, open.Load())
				}
			})
		})
	}
	t.Run("refused at once", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			_, err := dialEach(t.Context(), 6, func(_ context.Context, i int) (net.Conn, error) {
				return nil, &net.OpError{
					Op: "dial", Addr: &net.TCPAddr{IP: net.IPv4(10, 0, 0, byte(i)), Port: 5}, Err: errors.New("refused"),
				}
			})
			want := "10.0.0.0:5: refused; 10.0.0.1:5: refused; 10.0.0.2:5: refused; 10.0.0.3:5: refused; and 2 more"
			if err == nil || err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
			if took := time.Since(began); took != 0 {
				t.Errorf("it took %v", took)
			}
		})
	})
	t.Run("the attempts under way are bounded", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var now, most atomic.Int64
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			_, err := dialEach(ctx, 500, func(ctx context.Context, _ int) (net.Conn, error) {
				most.Store(max(most.Load(), now.Add(1)))
				defer now.Add(-1)
				<-ctx.Done()
				return nil, ctx.Err()
			})
			if err == nil || strings.Count(err.Error(), ";") != 4 {
				t.Errorf("got %v", err)
			}
			if most.Load() > mostAttempts+1 || most.Load() < mostAttempts {
				t.Errorf("%d attempts at once", most.Load())
			}
		})
	})
}
