package socket_test

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// What was delivered to a peer that was given up for its silence while Shutdown was waiting for the rest to leave may
// be lost, and Shutdown says so, also when another peer has taken the rest and closed.
func TestShutdownSaysThatAPeerWasGivenUpMeanwhile(t *testing.T) {
	ln := rawListen(t)
	push := closing(t, socket.NewPush(socket.WithReconnect(time.Millisecond, 10*time.Millisecond),
		socket.WithHeartbeat(time.Second, 3*time.Second, 0)))
	must(t, push.Connect(ln.endpoint()))
	first := ln.accept()
	first.shake("PULL", yodelProperty) // and reads no more
	for range 500 {                    // more than the kernels take
		first.send(zmtp.AppendPong(nil, nil))
		must(t, push.Send(within(t), socket.NewMsg(bytes.Repeat([]byte("x"), 64<<10))))
	}
	ended := make(chan error, 1)
	go func() { ended <- push.Shutdown(within(t)) }()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !errors.Is(push.TrySend(socket.Text("late")), socket.ErrClosed) { // it shows signs of life until that has begun
		first.send(zmtp.AppendPong(nil, nil))
		<-tick.C
	}
	second := ln.accept()
	second.shake("PULL", yodelProperty)
	_, _ = io.Copy(io.Discard, second.Conn)
	second.Close()
	if err := <-ended; !errors.Is(err, socket.ErrUnconfirmed) {
		t.Errorf("Shutdown says %v, want ErrUnconfirmed", err)
	}
}
