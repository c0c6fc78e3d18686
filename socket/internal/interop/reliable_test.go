//go:build unix

package interop

import (
	"errors"
	"testing"

	"github.com/yodel-mq/yodel/socket"
)

// TestLibzmqReliable: sockets that ask for acknowledgements serve libzmq as any others, say that it gives none, and
// count what it was sent once.
func TestLibzmqReliable(t *testing.T) {
	z := sharedPeer(t)
	all := allSizes()
	const n = 40
	t.Run("push", func(t *testing.T) {
		eachSide(t, func(t *testing.T, s side) {
			push := closing(t, socket.NewPush(socket.WithReliable()))
			pull := z.socket(t, "PULL", nil)
			link(t, push, pull, s)
			got := pull.recvMany(n)
			sent := sendAll(t, push, all, n)
			sameStream(t, sent, got.wait(t).stream())
			wantForeign(t, push)
			l := delivered(t, push)
			sameCount(t, "delivered", l.Delivered, sent)
			sameCount(t, "sent at most once", push.Stats().AtMostOnce, sent)
		})
	})
	t.Run("pull", func(t *testing.T) {
		eachSide(t, func(t *testing.T, s side) {
			pull := closing(t, socket.NewPull(socket.WithReliable()))
			push := z.socket(t, "PUSH", nil)
			link(t, pull, push, s)
			sending := push.sendMany(all, n)
			received := recvAll(t, pull, n)
			sameStream(t, sending.wait(t).stream(), received)
			wantForeign(t, pull)
		})
	})
	t.Run("req", func(t *testing.T) {
		eachSide(t, func(t *testing.T, s side) {
			req := closing(t, socket.NewReq(socket.WithReliable()))
			rep := z.socket(t, "REP", nil)
			link(t, req, rep, s)
			echo := rep.echo(n)
			var sent stream
			for i := range n {
				m := all.message(i)
				if _, err := req.Do(within(t), m); err != nil {
					t.Fatalf("request %d: %v", i, err)
				}
				sent.add(m.Frames)
			}
			sameStream(t, sent, echo.wait(t).stream())
			wantForeign(t, req)
		})
	})
	t.Run("rep", func(t *testing.T) {
		eachSide(t, func(t *testing.T, s side) {
			rep := closing(t, socket.NewRep(socket.WithReliable()))
			req := z.socket(t, "REQ", nil)
			link(t, rep, req, s)
			asking := req.askMany(all, n)
			received := answerAll(t, rep, n)
			sameStream(t, asking.wait(t).stream(), received)
			wantForeign(t, rep)
		})
	})
	t.Run("refused", func(t *testing.T) {
		push := closing(t, socket.NewPush(socket.WithReliable(), socket.WithYodelOnly()))
		z.socket(t, "PULL", nil).connect(bind(t, push, "tcp://127.0.0.1:*"))
		for ev := range push.Events(within(t)) {
			if ev.Kind == socket.HandshakeFailed && errors.Is(ev.Err, socket.ErrForeign) {
				return
			}
		}
		t.Error("a peer that acknowledges nothing was not refused")
	})
}

// wantForeign fails unless the socket has told of one peer that acknowledges nothing, for each connection.
func wantForeign(t *testing.T, s yodel) {
	t.Helper()
	foreign, up := 0, 0
	for _, ev := range eventsOf(s) {
		switch ev.Kind {
		case socket.PeerForeign:
			foreign++
		case socket.PeerUp:
			up++
		}
	}
	if foreign != up || up == 0 {
		t.Errorf("%d peers came up and %d were told as foreign", up, foreign)
	}
}
