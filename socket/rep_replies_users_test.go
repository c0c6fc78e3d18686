package socket_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/spool"
	"github.com/yodel-mq/yodel/transport/simnet"
)

// A keeperCase is a Rep with peers that prove who they are, and with what it keeps on disk.
type keeperCase struct {
	name          string
	replies, kept bool // on disk: the replies, the requests
}

var keeperCases = []keeperCase{
	{"replies in memory", false, false},
	{"replies on disk", true, false},
	{"replies and requests on disk", true, true},
}

// A keeper is such a Rep in one of its lives.
type keeper struct {
	*socket.Rep
	spools []*spool.Spool
}

func (c *keeperCase) open(t *testing.T, p passport, net *simnet.Network, replies, kept *medium) *keeper {
	t.Helper()
	k := new(keeper)
	var opts []socket.RepOption
	for _, o := range p.both(net) {
		opts = append(opts, o)
	}
	on := func(m *medium) *spool.Spool {
		q := onMedium(t, m, spool.Options{})
		k.spools = append(k.spools, q)
		return q
	}
	if c.replies {
		opts = append(opts, socket.WithReplies(on(replies)))
	}
	if c.kept {
		opts = append(opts, socket.WithInbox(on(kept)))
	}
	k.Rep = socket.NewRep(opts...)
	bindAt(t, k.Rep)
	return k
}

func (k *keeper) end(t *testing.T) {
	t.Helper()
	balanced(t, k.Rep)
	must(t, k.Close())
	for _, q := range k.spools {
		must(t, q.Close())
	}
}

// takes receives the next request within an hour.
func (k *keeper) takes(t *testing.T, request string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	m, err := k.Recv(ctx)
	if err != nil || string(m.Bytes()) != request {
		t.Fatalf("the request is %q, %v; want %q", m.Bytes(), err, request)
	}
}

// asks opens a Req of a user on a spool.
func asks(t *testing.T, p passport, net *simnet.Network, user string, m *medium) (*socket.Req, *spool.Spool) {
	t.Helper()
	q := onMedium(t, m, spool.Options{})
	req := socket.NewReq(on(net, "host-"+user), p.shows(user), socket.WithSpool(q))
	must(t, req.Connect(server))
	return req, q
}

// TestRepliesAreTheirUsers: who says the stream of another user's requests, here with a copy of the spool, gets none of
// the replies that are kept for that user, and settles none of the requests; nor does who has proven to be nobody. Its
// own requests are others. So it is also after a restart of a Rep with its replies on disk.
func TestRepliesAreTheirUsers(t *testing.T) {
	for _, p := range passports() {
		for _, c := range keeperCases {
			for _, thief := range []string{"eve", ""} {
				t.Run(p.name+", "+c.name+", by the user "+thief, func(t *testing.T) {
					bubble(t, func(t *testing.T) {
						net := simnet.New(simnet.Config{Latency: time.Millisecond})
						hers, replies, kept := newMedium(), newMedium(), newMedium()
						rep := c.open(t, p, net, replies, kept)
						ann, q := asks(t, p, net, "ann", hers)
						must(t, ann.Send(aDay(t), socket.Text("hers")))
						rep.takes(t, "hers")
						copied := hers.copied()
						net.Partition("host-ann")
						time.Sleep(time.Hour) // she is known to be gone
						if err := rep.Send(aDay(t), socket.Text("secret")); !errors.Is(err, socket.ErrPeerLost) {
							t.Fatalf("Send says %v", err)
						}
						if c.replies {
							rep.end(t)
							rep = c.open(t, p, net, replies, kept)
						}

						eve, stolen := asks(t, p, net, thief, copied)
						rep.takes(t, "hers")
						must(t, rep.Send(aDay(t), socket.Text("to a thief")))
						pendingReply(t, eve, "hers", "to a thief")
						for range 3 { // which say that the first is settled
							time.Sleep(time.Minute)
							must(t, eve.Send(aDay(t), socket.Text("theirs")))
							rep.takes(t, "theirs")
							must(t, rep.Send(aDay(t), socket.Text("to a thief")))
							m, err := eve.Recv(aDay(t))
							if err != nil || string(m.Bytes()) != "to a thief" {
								t.Fatalf("the reply is %q, %v", m.Bytes(), err)
							}
						}
						must(t, eve.Close())
						must(t, stolen.Close())

						if c.replies {
							rep.end(t)
							rep = c.open(t, p, net, replies, kept)
						}
						net.Heal()
						noRequest(t, rep.Rep) // it is answered where the next one would be received
						ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
						defer cancel()
						m, err := ann.Recv(ctx)
						if err != nil || string(m.Bytes()) != "secret" {
							t.Errorf("her reply is %q, %v", m.Bytes(), err)
						}
						must(t, ann.Close())
						must(t, q.Close())
						rep.end(t)
					})
				})
			}
		}
	}
}

// TestKeptRequestIsAnsweredToItsUser: the reply to a request that waits on disk goes to the user whose it is, whoever
// else has come with the same name meanwhile, and to nobody while only others are there.
func TestKeptRequestIsAnsweredToItsUser(t *testing.T) {
	p, c := passports()[0], keeperCases[2]
	for _, back := range []bool{false, true} {
		name := "she is gone"
		if back {
			name = "she has come back"
		}
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				net := simnet.New(simnet.Config{Latency: time.Millisecond})
				replies, kept := newMedium(), newMedium()
				rep := c.open(t, p, net, replies, kept)
				comes := func(user string) *socket.Dealer {
					d := socket.NewDealer(on(net, "host-"+user), p.shows(user), socket.WithName("one"))
					must(t, d.Connect(server))
					must(t, d.WaitPeers(aDay(t), 1))
					return d
				}
				ann := comes("ann")
				must(t, ann.Send(aDay(t), socket.Text("", "hers")))
				time.Sleep(time.Second)
				must(t, ann.Close())
				rep.end(t)

				rep = c.open(t, p, net, replies, kept)
				if back {
					ann = comes("ann")
				}
				eve := comes("eve")
				time.Sleep(time.Second)
				rep.takes(t, "hers")
				err := rep.Send(aDay(t), socket.Text("secret"))
				if back {
					must(t, err)
					m, err := ann.Recv(aDay(t))
					if err != nil || string(m.Bytes()) != "secret" {
						t.Errorf("her reply is %q, %v", m.Frames, err)
					}
					must(t, ann.Close())
				} else if !errors.Is(err, socket.ErrPeerLost) {
					t.Errorf("Send says %v", err)
				}
				time.Sleep(time.Second)
				if m, err := eve.TryRecv(); err == nil {
					t.Errorf("the other user has received %q", m.Frames)
				}
				must(t, eve.Close())
				rep.end(t)
			})
		})
	}
}
