package socket_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
)

// What was delivered to a peer whose connection broke while Shutdown was waiting for the rest to leave may be lost, and
// Shutdown says so, also when another peer has taken the rest and closed.
func TestShutdownSaysThatAConnectionWasLostMeanwhile(t *testing.T) {
	for name, c := range map[string]struct {
		lose func(first *raw) // before everything was written to it
		want error
	}{
		"reset":  {func(first *raw) { must(t, first.Conn.(*net.TCPConn).SetLinger(0)); first.Close() }, socket.ErrUnconfirmed},
		"closed": {func(first *raw) { first.Close() }, socket.ErrUnconfirmed},
		"kept":   {func(first *raw) { go drainThenClose(first) }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			ln := rawListen(t)
			push := closing(t, socket.NewPush(socket.WithReconnect(time.Millisecond, 10*time.Millisecond)))
			must(t, push.Connect(ln.endpoint()))
			first := ln.accept()
			first.shake("PULL")
			for range 500 { // more than the kernels take
				must(t, push.Send(within(t), socket.NewMsg(bytes.Repeat([]byte("x"), 64<<10))))
			}
			ended := make(chan error, 1)
			go func() { ended <- push.Shutdown(within(t)) }()
			for !errors.Is(push.TrySend(socket.String("late")), socket.ErrClosed) { // it has begun
			}
			c.lose(first)
			if c.want != nil {
				second := ln.accept()
				second.shake("PULL")
				go drainThenClose(second)
			}
			if err := <-ended; !errors.Is(err, c.want) {
				t.Errorf("Shutdown says %v, want %v", err, c.want)
			}
		})
	}
}

// drainThenClose reads to the end and closes, as a good peer does.
func drainThenClose(r *raw) {
	_, _ = io.Copy(io.Discard, r.Conn)
	r.Close()
}
