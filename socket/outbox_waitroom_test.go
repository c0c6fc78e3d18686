package socket_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/yodel-mq/yodel/socket"
)

// A waitRoom is what a Dealer and a Router have.
type waitRoom interface {
	sendTo
	WaitRoom(ctx context.Context, p *socket.Peer) error
}

var waitRooms = map[string]func() waitRoom{
	"DEALER": func() waitRoom { return socket.NewDealer(socket.WithSendHWM(4)) },
	"ROUTER": func() waitRoom { return socket.NewRouter(socket.WithSendHWM(4)) },
}

// TestWaitRoom: who was refused is told when to come again, though another peer has had room all the time.
func TestWaitRoom(t *testing.T) {
	for name, make := range waitRooms {
		t.Run(name, func(t *testing.T) {
			eachTransport(t, func(t *testing.T, endpoint string) {
				s := closing(t, make())
				at := bind(t, s, endpoint)
				slow, quick := closing(t, socket.NewDealer(socket.WithRecvHWM(1))), closing(t, socket.NewDealer())
				peers := map[*socket.Dealer]*socket.Peer{}
				for _, d := range []*socket.Dealer{slow, quick} {
					connect(t, d, at)
					send(t, d, "hello")
					peers[d] = recv(t, s).From
				}
				p, body := peers[slow], strings.Repeat("x", 1<<20)
				fill := func() (n int) {
					for ; ; n++ {
						if err := s.TrySendTo(p, socket.Text(body)); errors.Is(err, socket.ErrWouldBlock) {
							return n
						} else if err != nil {
							t.Fatal(err)
						}
					}
				}
				left := fill()
				ended, cancel := contextEnded()
				defer cancel()
				if err := s.WaitRoom(ended, p); !errors.Is(err, context.Canceled) || !errors.Is(err, socket.ErrWouldBlock) {
					t.Errorf("without room: %v", err)
				}
				must(t, s.WaitRoom(ended, peers[quick]))
				for range 5 {
					waited := inBackground(func() error { return s.WaitRoom(within(t), p) })
					for done := false; !done; { // as the peer reads, there is room at last
						select {
						case err := <-waited:
							must(t, err)
							done = true
						default:
							if left == 0 {
								must(t, <-waited)
								done = true
								break
							}
							recv(t, slow)
							left--
						}
					}
					must(t, s.TrySendTo(p, socket.Text("came in")))
					left += 1 + fill()
				}
				for ; left > 0; left-- {
					recv(t, slow)
				}
			})
		})
	}
}

// inBackground runs f in a goroutine, whose result it returns by a channel.
func inBackground(f func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	return done
}

// TestWaitRoomEnds: a wait ends with the peer, and with the socket.
func TestWaitRoomEnds(t *testing.T) {
	for name, make := range waitRooms {
		t.Run(name, func(t *testing.T) {
			eachTransport(t, func(t *testing.T, endpoint string) {
				s, other := closing(t, make()), closing(t, make())
				at := bind(t, s, endpoint)
				full := func() (*socket.Dealer, *socket.Peer) {
					d := closing(t, socket.NewDealer(socket.WithRecvHWM(1)))
					connect(t, d, at)
					send(t, d, "hello")
					p := recv(t, s).From
					for err := error(nil); err == nil; {
						err = s.TrySendTo(p, socket.Text(strings.Repeat("x", 1<<20)))
					}
					return d, p
				}
				d, p := full()
				waited := inBackground(func() error {
					for { // a peer that closes reads a little more, so that there may be room first
						if err := s.WaitRoom(within(t), p); err != nil {
							return err
						}
						_ = s.TrySendTo(p, socket.Text(strings.Repeat("x", 1<<20)))
					}
				})
				must(t, d.Close())
				if err := <-waited; !errors.Is(err, socket.ErrPeerLost) {
					t.Errorf("the peer is lost: %v", err)
				}
				peerOver(t, p)
				_, q := full()
				for what, err := range map[string]error{
					"gone":       s.WaitRoom(within(t), p),
					"none":       s.WaitRoom(within(t), nil),
					"of another": other.WaitRoom(within(t), q),
				} {
					if pe, ok := errors.AsType[*socket.PeerError](err); !ok || !errors.Is(pe.Err, socket.ErrPeerLost) {
						t.Errorf("%s: %v, want a PeerError of ErrPeerLost", what, err)
					}
				}
				waited = inBackground(func() error { return s.WaitRoom(within(t), q) })
				must(t, s.Close())
				if err := <-waited; !errors.Is(err, socket.ErrClosed) && !errors.Is(err, socket.ErrPeerLost) {
					t.Errorf("the socket is closed: %v", err)
				}
				if err := s.WaitRoom(within(t), q); !errors.Is(err, socket.ErrClosed) {
					t.Errorf("a closed socket: %v", err)
				}
			})
		})
	}
}
