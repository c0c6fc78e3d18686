package socket

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// A stranger may open a stream and never become a peer. What is kept of such streams is bounded as that of peers that
// are lost: none of them has an owner that would hold it for ever.
func TestStreamsOfPeersThatNeverJoin(t *testing.T) {
	dealer := NewDealer(WithReliable())
	defer dealer.Close()
	at, err := dealer.Bind(t.Context(), "tcp://127.0.0.1:*")
	if err != nil {
		t.Fatal(err)
	}
	const strangers = 20
	for n := range strangers {
		conn, err := net.Dial("tcp", strings.TrimPrefix(at, "tcp://"))
		if err != nil {
			t.Fatal(err)
		}
		yodel := zmtp.Yodel{
			Features: zmtp.FeatureReliable | zmtp.FeatureOpens, Node: [16]byte{1}, Receiver: [16]byte{byte(n)},
		}
		_, err = zmtp.Handshake(t.Context(), conn, zmtp.Config{
			SocketType: zmtp.Dealer,
			Properties: zmtp.Metadata{{Name: zmtp.PropertyYodel, Value: zmtp.AppendYodel(nil, &yodel)}},
		})
		if err != nil {
			t.Fatal(err)
		}
		o := zmtp.Open{Stream: [16]byte{byte(n), 1}, Epoch: 1, Nonce: 1, Link: 1, Low: 1, Next: 1}
		c := o.Command()
		wire := zmtp.AppendCommand(nil, c.Name, c.Data)
		if _, err := conn.Write(zmtp.AppendCommand(wire, "ODD", nil)); err != nil { // in place of OPENED
			t.Fatal(err)
		}
		failed := false
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		for ev := range dealer.Events(ctx) {
			if failed = ev.Kind == HandshakeFailed && ev.Address == conn.LocalAddr().String(); failed {
				break
			}
		}
		cancel()
		conn.Close()
		if !failed {
			t.Fatal("the stranger has joined")
		}
	}
	q := &dealer.in
	q.recv.Lock()
	defer q.recv.Unlock()
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.streams) != strangers || len(q.lostStreams) != strangers {
		t.Errorf("%d streams, of which %d are lost; want %d and all", len(q.streams), len(q.lostStreams), strangers)
	}
}
