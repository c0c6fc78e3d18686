package socket_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/spool"
	"github.com/yodel-mq/yodel/transport/simnet"
	"github.com/yodel-mq/yodel/transport/zmtp"
	"github.com/yodel-mq/yodel/transport/zmtp/curve"
)

// A passport is a mechanism by which a sender knows the users ann and eve; who is neither comes in as nobody.
type passport struct {
	name   string
	server zmtp.Mechanism
	of     map[string]zmtp.Mechanism
}

func passports() []passport {
	key := serverKey.Public()
	return []passport{
		{"PLAIN", zmtp.PlainServer(), map[string]zmtp.Mechanism{
			"ann": zmtp.PlainClient("ann", ""), "eve": zmtp.PlainClient("eve", ""), "": zmtp.PlainClient("?", ""),
		}},
		{"CURVE", curve.Server(serverKey, nil), map[string]zmtp.Mechanism{
			"ann": curve.Client(annKey, key), "eve": curve.Client(eveKey, key), "": curve.Client(curve.GenerateKey(), key),
		}},
	}
}

// checks is the authenticator that knows both.
func (p *passport) checks() socket.Option {
	ann, eve := annKey.Public(), eveKey.Public()
	return authenticated(func(_ context.Context, c socket.Claim) (socket.User, error) {
		switch string(c.Credentials[0]) {
		case "ann", string(ann[:]):
			return socket.User{ID: "ann"}, nil
		case "eve", string(eve[:]):
			return socket.User{ID: "eve"}, nil
		}
		return socket.User{}, nil
	})
}

// both are the options of a socket that asks for a passport.
func (p *passport) both(net *simnet.Network) []socket.Option {
	return []socket.Option{on(net, "srv"), socket.WithSecurity(p.server), p.checks()}
}

// shows is the option of a user.
func (p *passport) shows(user string) socket.Option { return socket.WithSecurity(p.of[user]) }

// A nameCase is a sender of one kind, for which receivers come by a name. kept says that the name has its owner in a
// spool.
type nameCase struct {
	name string
	kept bool
	send func(t *testing.T, p passport, net *simnet.Network, q *spool.Spool, more ...socket.BindingOption) sender
	// comes returns a receiver as a user of a host.
	comes func(net *simnet.Network, p passport, user string) receiver
}

type (
	sender interface {
		socket.Socket
		socket.Sender
		anyRole
	}
	receiver interface {
		socket.Socket
		socket.Receiver
		anyRole
	}
)

func pullOne(net *simnet.Network, p passport, user string) receiver {
	return socket.NewPull(on(net, "host-"+user), p.shows(user), socket.WithName("one"))
}

func nameCases() []nameCase {
	return []nameCase{
		{
			name: "in memory", comes: pullOne,
			send: func(_ *testing.T, p passport, net *simnet.Network, _ *spool.Spool, _ ...socket.BindingOption) sender {
				opts := []socket.PushOption{socket.WithReliable(), socket.WithReassign(-1)}
				for _, o := range p.both(net) {
					opts = append(opts, o)
				}
				return socket.NewPush(opts...)
			},
		},
		{
			name: "an owner in a partition", kept: true, comes: pullOne,
			send: func(_ *testing.T, p passport, net *simnet.Network, q *spool.Spool, more ...socket.BindingOption) sender {
				opts := []socket.PushOption{socket.WithSpool(q), socket.WithPartition("one")}
				for _, o := range p.both(net) {
					opts = append(opts, o)
				}
				for _, o := range more {
					opts = append(opts, o)
				}
				return socket.NewPush(opts...)
			},
		},
		{
			name: "a durable subscription", kept: true,
			send: func(_ *testing.T, p passport, net *simnet.Network, q *spool.Spool, more ...socket.BindingOption) sender {
				opts := []socket.PubOption{socket.WithSpool(q)}
				for _, o := range p.both(net) {
					opts = append(opts, o)
				}
				for _, o := range more {
					opts = append(opts, o)
				}
				return socket.NewPub(opts...)
			},
			comes: func(net *simnet.Network, p passport, user string) receiver {
				return socket.NewSub(on(net, "host-"+user), p.shows(user), socket.WithSubscription(""),
					socket.WithSubscriberName("one", socket.DurableOptions{}))
			},
		},
	}
}

// turnedAway fails unless a receiver that connects is refused, as one that has another user's name, and is told no more
// than that.
func turnedAway(t *testing.T, told *history, r receiver, why ...string) {
	t.Helper()
	before := len(told.of(socket.HandshakeFailed))
	theirs := record(r, nil)
	must(t, r.Connect(server))
	_, _ = r.TryRecv()
	time.Sleep(time.Second)
	refused := told.of(socket.HandshakeFailed)[before:]
	says := func(ev socket.Event) bool { // others are of attempts that the receiver has given up as it closed
		return errors.Is(ev.Err, socket.ErrDenied) && !slices.ContainsFunc(why, func(text string) bool {
			return !strings.Contains(ev.Err.Error(), text)
		})
	}
	if !slices.ContainsFunc(refused, says) {
		t.Errorf("no event says %q: %v; its own are %v", why, refused, theirs.of(socket.PeerUp, socket.HandshakeFailed))
	}
	hears := theirs.of(socket.HandshakeFailed)
	if len(hears) == 0 || !errors.Is(hears[0].Err, zmtp.ErrRefused) || !strings.Contains(hears[0].Err.Error(), `"400"`) {
		t.Errorf("its events are %v", hears)
	}
	if _, err := r.TryRecv(); err == nil {
		t.Error("it has received something")
	}
	must(t, r.Close())
	time.Sleep(time.Second)
}

// TestNameIsItsUsers: what waits for a receiver by its name goes to the user who came with that name first, whatever
// others say they are, while it is there, while it is lost, and in the sender's next life; and each message goes to it
// once.
func TestNameIsItsUsers(t *testing.T) {
	for _, p := range passports() {
		for _, c := range nameCases() {
			t.Run(p.name+", "+c.name, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					net, m := simnet.New(simnet.Config{Latency: time.Millisecond}), newMedium()
					var q *spool.Spool
					if c.kept {
						q = onMedium(t, m, spool.Options{})
					}
					s := c.send(t, p, net, q)
					bindAt(t, s)
					told := record(s, nil)
					ann := c.comes(net, p, "ann")
					must(t, ann.Connect(server))
					_, _ = ann.TryRecv()
					time.Sleep(time.Second)
					sendAll(t, s, 0, 10)
					recvAll(t, ann, 0, 10)

					turnedAway(t, told, c.comes(net, p, "eve"), `"ann"`, `"eve"`)
					turnedAway(t, told, c.comes(net, p, ""), `"ann"`)
					sendAll(t, s, 10, 10)
					recvAll(t, ann, 10, 10)

					net.Partition("host-ann")
					sendAll(t, s, 20, 10)
					time.Sleep(time.Hour)
					turnedAway(t, told, c.comes(net, p, "eve"), `"ann"`, `"eve"`)
					net.Heal()
					recvAll(t, ann, 20, 10)
					if c.kept {
						net.Partition("host-ann")
						sendAll(t, s, 30, 10)
						balanced(t, s)
						must(t, s.Close())
						must(t, q.Close())
						q = onMedium(t, m, spool.Options{})
						s = c.send(t, p, net, q)
						bindAt(t, s)
						told = record(s, nil)
						turnedAway(t, told, c.comes(net, p, "eve"), `"ann"`, `"eve"`)
						net.Heal()
						recvAll(t, ann, 30, 10)
					}
					shut(t, ann)
					shut(t, s)
					if q != nil {
						must(t, q.Close())
					}
				})
			})
		}
	}
}

// TestNobodysName: a name that only peers without a user have used is nobody's, and the first user's from then on.
func TestNobodysName(t *testing.T) {
	p, c := passports()[0], nameCases()[2]
	bubble(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{Latency: time.Millisecond})
		q := onMedium(t, newMedium(), spool.Options{})
		s := c.send(t, p, net, q)
		bindAt(t, s)
		told := record(s, nil)
		for i, user := range []string{"", "", "ann"} {
			r := c.comes(net, p, user)
			must(t, r.Connect(server))
			_, _ = r.TryRecv()
			time.Sleep(time.Second)
			sendAll(t, s, i, 1)
			recvAll(t, r, i, 1)
			shut(t, r)
		}
		turnedAway(t, told, c.comes(net, p, ""), `"ann"`)
		pub := s.(*socket.Pub)
		must(t, pub.DropSubscriber(aDay(t), "one"))
		eve := c.comes(net, p, "eve") // a subscription that has ended owes nobody anything
		must(t, eve.Connect(server))
		_, _ = eve.TryRecv()
		time.Sleep(time.Second)
		sendAll(t, s, 3, 1)
		recvAll(t, eve, 3, 1)
		shut(t, eve)
		shut(t, s)
		must(t, q.Close())
	})
}

// TestNameBinding: where a rule says who may have which name, that decides: nobody else gets it first, and it can hand
// one over.
func TestNameBinding(t *testing.T) {
	p := passports()[0]
	for _, c := range nameCases() {
		if !c.kept {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				net, m := simnet.New(simnet.Config{Latency: time.Millisecond}), newMedium()
				at := 0
				for _, good := range []string{"ann", "eve"} {
					q := onMedium(t, m, spool.Options{})
					s := c.send(t, p, net, q, socket.WithIdentityBinding(func(user, name string) bool {
						return name == "one" && user == good
					}))
					bindAt(t, s)
					told := record(s, nil)
					for _, bad := range slices.DeleteFunc([]string{"ann", "eve", ""}, func(u string) bool { return u == good }) {
						turnedAway(t, told, c.comes(net, p, bad), `"one"`, fmt.Sprintf("%q", bad))
					}
					r := c.comes(net, p, good)
					must(t, r.Connect(server))
					_, _ = r.TryRecv()
					time.Sleep(time.Second)
					sendAll(t, s, at, 3)
					recvAll(t, r, at, 3)
					at += 3
					shut(t, r)
					time.Sleep(time.Second)
					shut(t, s)
					must(t, q.Close())
				}
			})
		})
	}
}

// TestStreamIsItsUsers: what a sender has not been acknowledged cannot be made void by another user who says that it is
// the same stream.
func TestStreamIsItsUsers(t *testing.T) {
	p := passports()[0]
	pull := closing(t, socket.NewPull(socket.WithSecurity(p.server), p.checks()))
	at := bind(t, pull, "tcp://127.0.0.1:*")
	m := newMedium()
	q := onMedium(t, m, spool.Options{})
	defer q.Close()
	ann := closing(t, socket.NewPush(p.shows("ann"), socket.WithSpool(q)))
	connect(t, ann, at)
	send(t, ann, "hers")
	expect(t, pull, "hers")
	copied := onMedium(t, m.copied(), spool.Options{})
	defer copied.Close()
	eve := closing(t, socket.NewPush(once, p.shows("eve"), socket.WithSpool(copied)))
	connect(t, eve, at)
	ours := event(t, pull, socket.HandshakeFailed)
	if !errors.Is(ours.Err, socket.ErrDenied) || !strings.Contains(ours.Err.Error(), `"ann"`) {
		t.Errorf("our event is %v", ours)
	}
	if theirs := event(t, eve, socket.HandshakeFailed); !errors.Is(theirs.Err, zmtp.ErrRefused) {
		t.Errorf("their event is %v", theirs)
	}
	send(t, ann, "hers too")
	expect(t, pull, "hers too")
}
