package transport

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"
)

const (
	// attemptDelay is how long an attempt may take before the next address is tried as well (RFC 8305, section 5).
	attemptDelay = 250 * time.Millisecond

	// mostAttempts limits the concurrent attempts of one Dial; one more ends the oldest.
	mostAttempts = 32
)

// dialEach dials n addresses, best first, and returns the first connection that succeeds. The next address is tried
// when an attempt has failed or has taken attemptDelay; in the latter case the attempt goes on. With a deadline the
// delay is short enough that the last address is tried before half of the time is over, so that addresses that do not
// answer never keep another from being tried.
func dialEach(ctx context.Context, n int, dial func(ctx context.Context, i int) (net.Conn, error)) (net.Conn, error) {
	if n == 1 {
		return dial(ctx, 0)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	delay := attemptDelay
	if end, ok := ctx.Deadline(); ok {
		delay = min(delay, time.Until(end)/time.Duration(2*n))
	}
	type result struct {
		i    int
		conn net.Conn
		err  error
	}
	results := make(chan result)
	stops := make([]context.CancelFunc, 0, n)
	running := 0
	start := func() {
		i := len(stops)
		ctx, stop := context.WithCancel(ctx)
		if stops = append(stops, stop); i >= mostAttempts {
			stops[i-mostAttempts]()
		}
		running++
		go func() {
			conn, err := dial(ctx, i)
			results <- result{i, conn, err}
		}()
	}
	var won net.Conn
	failed := make(dialErrors, n)
	next := time.NewTimer(delay)
	defer next.Stop()
	for start(); running > 0; {
		select {
		case r := <-results:
			running--
			stops[r.i]()
			switch {
			case r.err != nil:
				failed[r.i] = r.err
			case won == nil:
				won = r.conn
				cancel() // the others end at once
			default:
				r.conn.Close()
			}
			if ctx.Err() != nil {
				continue
			}
		case <-next.C:
		}
		if len(stops) < n && ctx.Err() == nil {
			start()
			next.Reset(delay)
		}
	}
	if won != nil {
		return won, nil
	}
	return nil, failed[:len(stops)]
}

// dialErrors says why each address of a host could not be reached.
type dialErrors []error

func (e dialErrors) Error() string {
	const most = 4
	var parts []string
	for i, err := range e {
		if i == most {
			parts = append(parts, fmt.Sprintf("and %d more", len(e)-most))
			break
		}
		parts = append(parts, cause(err, ""))
	}
	return strings.Join(parts, "; ")
}

func (e dialErrors) Unwrap() []error { return e }
