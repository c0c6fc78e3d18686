package socket_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/yodel-mq/yodel/socket"
)

// TestRelease: messages that are released give their buffers to those that come after them, which are whole, and those
// that are kept stay as they are.
func TestRelease(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		push, pull := closing(t, socket.NewPush()), closing(t, socket.NewPull())
		link(t, pull, push, endpoint)
		const n = 300
		body := func(i int) []byte { return bytes.Repeat([]byte{byte(i), byte(i >> 8)}, 30_000+10*i) }
		ctx := within(t)
		go func() {
			for i := range n {
				if err := push.Send(ctx, socket.NewMsg([]byte(fmt.Sprint(i)), body(i), nil, body(i+1))); err != nil {
					t.Error(err)
				}
			}
		}()
		kept := make(map[int]socket.Msg)
		check := func(i int, m socket.Msg) {
			t.Helper()
			if len(m.Frames) != 4 || string(m.Frames[0]) != fmt.Sprint(i) || !bytes.Equal(m.Frames[1], body(i)) ||
				!bytes.Equal(m.Frames[3], body(i+1)) {
				t.Fatalf("message %d is broken", i)
			}
		}
		for i := range n {
			m := recv(t, pull)
			check(i, m)
			if i%10 == 0 {
				kept[i] = m
			} else {
				m.Release()
			}
		}
		for i, m := range kept {
			check(i, m)
		}
	})
}

// TestReleaseInproc: what the sender may use still is not taken from it.
func TestReleaseInproc(t *testing.T) {
	for name, endpoint := range transports(t) {
		t.Run(name, func(t *testing.T) {
			push, pull := closing(t, socket.NewPush()), closing(t, socket.NewPull())
			link(t, pull, push, endpoint)
			body := bytes.Repeat([]byte("x"), 64<<10)
			want := bytes.Clone(body)
			for range 100 {
				must(t, push.Send(within(t), socket.NewMsg(body)))
				recv(t, pull).Release()
			}
			if !bytes.Equal(body, want) {
				t.Error("a body that was sent again and again has changed")
			}
		})
	}
	socket.NewMsg(make([]byte, 64<<10)).Release() // of nobody: nothing happens
}
