package socket_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
)

// TestSuccessorLosesNothing: where there can be one peer only, a peer that has ended makes room for its successor at
// once, and what the successor sends first arrives, although nobody has waited for the other side to see the end.
func TestSuccessorLosesNothing(t *testing.T) {
	quickly := socket.WithReconnect(time.Millisecond, 10*time.Millisecond)
	type peer interface {
		socket.Socket
		socket.Sender
		socket.Receiver
	}
	for _, role := range []struct {
		name string
		bind func() peer
		make func() peer
		from []string // what the bound socket puts in front of a message
	}{
		{"PAIR", func() peer { return socket.NewPair() }, func() peer { return socket.NewPair(quickly) }, nil},
		{
			"ROUTER", func() peer { return socket.NewRouter() }, func() peer { return named("peer", quickly) }, []string{"peer"},
		},
		{
			"ROUTER with handover", func() peer { return socket.NewRouter(socket.WithHandover()) },
			func() peer { return named("peer", quickly) },
			[]string{"peer"},
		},
	} {
		for _, sends := range []bool{true, false} { // whether the one before it did
			for _, again := range []bool{false, true} { // by the same socket
				t.Run(fmt.Sprintf("%s/sends=%v/again=%v", role.name, sends, again), func(t *testing.T) {
					eachTransport(t, func(t *testing.T, endpoint string) {
						bound := closing(t, role.bind())
						at := bind(t, bound, endpoint)
						s := role.make()
						for i := range 60 {
							first := fmt.Sprint("first ", i)
							connect(t, s, at)
							if sends {
								send(t, s, first)
								expect(t, bound, append(role.from, first)...)
							} else {
								waitPeers(t, s, 1)
							}
							if again {
								must(t, s.Disconnect(at))
							} else {
								must(t, s.Close())
								balanced(t, s)
								s = role.make()
							}
							connect(t, s, at)
							second := fmt.Sprint("second ", i)
							send(t, s, second)
							expect(t, bound, append(role.from, second)...)
							if !again {
								must(t, s.Close())
								s = role.make()
							} else {
								must(t, s.Disconnect(at))
							}
						}
						must(t, s.Close())
						balanced(t, s)
					})
				})
			}
		}
	}
}
