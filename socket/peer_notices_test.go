package socket_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/spool"
)

// A notifier is a socket that can tell of its peers, with one that it can be a peer of.
type notifier struct {
	make func() socket.Receiver
	peer func() socket.Sender
}

var notifiers = map[string]notifier{
	"DEALER": {
		func() socket.Receiver { return socket.NewDealer(socket.WithNotices()) },
		func() socket.Sender { return socket.NewDealer() },
	},
	"ROUTER": {
		func() socket.Receiver { return socket.NewRouter(socket.WithNotices()) },
		func() socket.Sender { return socket.NewDealer() },
	},
	"XSUB": {
		func() socket.Receiver { return socket.NewXSub(socket.WithNotices(), socket.WithSubscription("")) },
		func() socket.Sender { return socket.NewXPub() },
	},
}

// notified receives a notice.
func notified(t testing.TB, s socket.Receiver, want socket.Notice) *socket.Peer {
	t.Helper()
	m := recv(t, s)
	if m.Notice() != want || m.From == nil || len(m.Frames) != 0 {
		t.Fatalf("received %s of %v from %v, want %v", m, m.Notice(), m.From, want)
	}
	return m.From
}

// readyToSend waits until what a peer sends would be received.
func readyToSend(t testing.TB, peer socket.Sender) {
	t.Helper()
	waitPeers(t, peer.(socket.Socket), 1)
	if p, ok := peer.(*socket.XPub); ok {
		must(t, p.WaitSubscribers(within(t), "", 1))
	}
}

// lostPeers waits until a socket has lost n peers.
func lostPeers(t testing.TB, s socket.Receiver, n int) {
	t.Helper()
	eventWhere(t, s.(eventer), "the peers are lost", func(ev socket.Event) bool {
		if ev.Kind == socket.PeerDown {
			n--
		}
		return n == 0
	})
}

// TestNotices: a peer's arrival comes ahead of all its messages and its departure behind them, though it has gone
// before the first was received; they are in no ledger.
func TestNotices(t *testing.T) {
	for name, role := range notifiers {
		t.Run(name, func(t *testing.T) {
			eachTransport(t, func(t *testing.T, endpoint string) {
				s := role.make()
				closing(t, s.(socket.Socket))
				at := bind(t, s.(socket.Socket), endpoint)
				const peers, each = 3, 300
				for range peers {
					p := role.peer()
					connect(t, p.(socket.Socket), at)
					readyToSend(t, p)
					for i := range each {
						send(t, p, fmt.Sprint(i))
					}
					must(t, p.(socket.Socket).Close())
				}
				lostPeers(t, s, peers)
				next, ended := map[*socket.Peer]int{}, 0
				for ended < peers {
					m := recv(t, s)
					n, there := next[m.From]
					switch m.Notice() {
					case socket.Arrival:
						if next[m.From] = 0; there {
							t.Fatalf("%v has arrived twice", m.From)
						}
					case socket.Departure:
						if ended++; !there || n != each {
							t.Fatalf("%v has left after %d of its messages, arrived: %v", m.From, n, there)
						}
						delete(next, m.From)
					case socket.NoNotice:
						if got := atoi(t, m.Frames[len(m.Frames)-1]); !there || got != n {
							t.Fatalf("received %d from %v, want %d; arrived: %v", got, m.From, n, there)
						}
						next[m.From]++
					}
				}
				nothing(t, s)
				if st := s.(socket.Socket).Stats(); st.Received.Messages != peers*each || st.Handed.Messages != peers*each {
					t.Errorf("the ledger has notices: %+v", st.Ledger)
				}
			})
		})
	}
}

// TestNoticesWakeReceivers: who waits is told at once, also while it reads the connection of another peer itself.
func TestNoticesWakeReceivers(t *testing.T) {
	for name, role := range notifiers {
		t.Run(name, func(t *testing.T) {
			eachTransport(t, func(t *testing.T, endpoint string) {
				s := role.make()
				closing(t, s.(socket.Socket))
				at := bind(t, s.(socket.Socket), endpoint)
				first := role.peer()
				closing(t, first.(socket.Socket))
				connect(t, first.(socket.Socket), at)
				notified(t, s, socket.Arrival)
				readyToSend(t, first)
				got := make(chan socket.Msg)
				go func() {
					defer close(got)
					for m, err := range s.(poisoned).Messages(within(t)) {
						if err != nil {
							return
						}
						got <- m
					}
				}()
				for i := range 50 {
					send(t, first, fmt.Sprint(i))
					<-got
				}
				for range 5 {
					second := role.peer()
					connect(t, second.(socket.Socket), at)
					up := <-got
					readyToSend(t, second)
					must(t, second.(socket.Socket).Close())
					down := <-got
					if up.Notice() != socket.Arrival || down.Notice() != socket.Departure || up.From != down.From {
						t.Fatalf("told %v of %v and %v of %v", up.Notice(), up.From, down.Notice(), down.From)
					}
					send(t, first, "still there")
					if m := <-got; m.Notice() != socket.NoNotice {
						t.Fatalf("told %v of %v", m.Notice(), m.From)
					}
				}
				must(t, s.(socket.Socket).Close())
				for range got {
				}
			})
		})
	}
}

// TestNoticesOfNobody: peers that come and go while nobody receives, and send nothing, leave nothing behind; of one
// whose arrival was told the departure is.
func TestNoticesOfNobody(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		s := closing(t, socket.NewRouter(socket.WithNotices()))
		at := bind(t, s, endpoint)
		seen := closing(t, socket.NewDealer())
		connect(t, seen, at)
		p := notified(t, s, socket.Arrival)
		for range 5 {
			d := socket.NewDealer()
			connect(t, d, at)
			waitPeers(t, d, 1)
			waitPeers(t, s, 2)
			must(t, d.Close())
			waitUntil(t, "it is gone", func() bool { return len(s.Stats().Peers) == 1 })
		}
		lostPeers(t, s, 5)
		nothing(t, s)
		must(t, seen.Close())
		if q := notified(t, s, socket.Departure); q != p {
			t.Errorf("%v has left, want %v", q, p)
		}
		nothing(t, s)
	})
}

// TestNoticesEndWhatComes: behind the departure nothing of the peer is received, though it is in the middle of sending
// when this side ends the connection.
func TestNoticesEndWhatComes(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		for range 3 {
			s := socket.NewDealer(socket.WithNotices())
			d := socket.NewDealer(socket.WithoutReconnect())
			connect(t, d, bind(t, s, endpoint))
			p := notified(t, s, socket.Arrival)
			ctx := within(t)
			sender := inBackground(func() error {
				for {
					if err := d.Send(ctx, socket.Text("x")); err != nil {
						return err
					}
				}
			})
			recv(t, s)
			must(t, s.DisconnectPeer(p))
			for told := socket.NoNotice; told != socket.Departure; {
				m, err := s.Recv(ctx)
				must(t, err)
				told = m.Notice()
			}
			nothing(t, s)
			must(t, d.Close())
			if err := <-sender; !errors.Is(err, socket.ErrClosed) {
				t.Errorf("the sender: %v", err)
			}
			nothing(t, s)
			must(t, s.Close())
			balanced(t, s)
			balanced(t, d)
		}
	})
}

// TestNoticesAndAnInbox: an inbox on disk keeps no notices, and says so.
func TestNoticesAndAnInbox(t *testing.T) {
	q, err := spool.Open(t.TempDir(), spool.Options{})
	must(t, err)
	defer func() { must(t, q.Close()) }()
	s := closing(t, socket.NewDealer(socket.WithNotices(), socket.WithInbox(q)))
	if _, err := s.Bind(within(t), "inproc://"+t.Name()); !errors.Is(err, socket.ErrInvalidOption) {
		t.Errorf("%v, want ErrInvalidOption", err)
	}
}
