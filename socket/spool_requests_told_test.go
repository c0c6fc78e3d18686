package socket_test

import (
	"context"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
)

// TestSpooledRequestIsTold: over a reliable link a request from a spool says how much time it has left, however long it
// has waited, and one that is asked again how often it was, and that somebody may have got it.
func TestSpooledRequestIsTold(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net, dir := newNet(), t.TempDir()
		req, q := newRequester(t, net, dir, socket.WithReliable())
		const lasts = time.Hour
		began := time.Now()
		answered := make(chan error, 1)
		ask := func() {
			ctx, cancel := context.WithDeadline(t.Context(), began.Add(lasts))
			defer cancel()
			_, err := req.Do(ctx, socket.Text("request"))
			answered <- err
		}
		go ask()
		time.Sleep(10 * time.Minute) // for want of a peer
		next := func(rep *socket.Rep, attempts int, redelivered bool) {
			t.Helper()
			d, err := rep.Next(aDay(t))
			must(t, err)
			if left := d.Expires.Sub(began); left < lasts-time.Second || left > lasts+time.Second {
				t.Errorf("it expires after %v, want %v", left, lasts)
			}
			if d.Attempts != attempts || d.Redelivered != redelivered {
				t.Errorf("it was tried %d times, redelivered %v; want %d and %v", d.Attempts, d.Redelivered, attempts,
					redelivered)
			}
		}
		rep := newReplier(t, net)
		next(rep, 0, false)
		time.Sleep(10 * time.Minute)
		net.Partition("srv")
		net.Cut("srv")
		must(t, rep.Close())
		time.Sleep(time.Minute)
		net.Heal()
		rep = newReplier(t, net)
		next(rep, 1, true)
		must(t, rep.Send(aDay(t), socket.Text("reply")))
		must(t, <-answered)
		shut(t, rep)
		endRequester(t, req, q, 0)
	})
}
