package socket_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport"
)

// TestXSubOverflow: what is sent upstream to a publisher that does not look meets the policy of WithOverflow.
func TestXSubOverflow(t *testing.T) {
	for _, c := range []struct {
		name   string
		policy []socket.XSubOption
		sends  int // of 5 that succeed
		left   []string
	}{
		{"by default", nil, 5, []string{"0", "1"}},
		{"DropNewest", []socket.XSubOption{socket.WithOverflow(socket.DropNewest)}, 5, []string{"0", "1"}},
		{"DropOldest", []socket.XSubOption{socket.WithOverflow(socket.DropOldest)}, 5, []string{"3", "4"}},
		{"Conflate", []socket.XSubOption{socket.WithOverflow(socket.Conflate)}, 5, []string{"4"}},
		{"Block", []socket.XSubOption{socket.WithOverflow(socket.Block)}, 2, []string{"0", "1"}},
		{"Reject", []socket.XSubOption{socket.WithOverflow(socket.Reject)}, 2, []string{"0", "1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			xpub := closing(t, socket.NewXPub(socket.WithRecvHWM(1)))
			xsub := closing(t, socket.NewXSub(append(c.policy, socket.WithSendHWM(1))...))
			link(t, xpub, xsub, "inproc://"+t.Name())
			sent := 0
			for i := range 5 {
				switch err := xsub.TrySend(socket.Text(fmt.Sprint(i))); {
				case err == nil:
					sent++
				case !errors.Is(err, socket.ErrWouldBlock):
					t.Fatal(err)
				}
			}
			if sent != c.sends {
				t.Errorf("%d of 5 sends succeeded, want %d", sent, c.sends)
			}
			must(t, xsub.TrySend(socket.Text("\x01topic"))) // a subscription finds room
			for _, want := range c.left {
				for m := recv(t, xpub); m.String() != socket.Text(want).String(); m = recv(t, xpub) {
					if _, ok := socket.ParseSubscription(m); !ok {
						t.Fatalf("received %s, want %q", m, want)
					}
				}
			}
		})
	}
}

// TestXSubSendWaits: under Block it waits for every publisher, until its context ends or the one that is full is lost.
func TestXSubSendWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		space := socket.WithTransport(transport.NewInproc())
		xsub := closing(t, socket.NewXSub(space, socket.WithSendHWM(1), socket.WithOverflow(socket.Block)))
		small, large := closing(t, socket.NewXPub(space, socket.WithRecvHWM(1))), closing(t, socket.NewXPub(space))
		link(t, small, xsub, "inproc://small")
		connect(t, xsub, bind(t, large, "inproc://large"))
		waitPeers(t, xsub, 2)
		send(t, xsub, "0")
		send(t, xsub, "1")
		ended, cancel := contextEnded()
		defer cancel()
		if err := xsub.Send(ended, socket.Text("2")); !errors.Is(err, context.Canceled) {
			t.Fatalf("without room: %v", err)
		}
		for i, free := range []func(){
			func() { expect(t, small, "0"); expect(t, small, "1") },
			func() { must(t, small.Close()) },
		} {
			if i > 0 {
				send(t, xsub, "3")
			}
			sent := make(chan error, 1)
			go func() { sent <- xsub.Send(within(t), socket.Text("2")) }()
			synctest.Wait()
			select {
			case err := <-sent:
				t.Fatalf("round %d: it did not wait: %v", i, err)
			default:
			}
			free()
			must(t, <-sent)
		}
		for _, want := range []string{"0", "1", "2", "3", "2"} {
			expect(t, large, want)
		}
	})
}
