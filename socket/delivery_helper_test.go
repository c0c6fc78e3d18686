package socket_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/simnet"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// A rawSender is a peer that speaks for itself what a Pull expects of a reliable Push.
type rawSender struct {
	*raw
	opened zmtp.Opened
}

// openTo connects a raw sender on a host to the address of host "srv", and opens a stream there.
func openTo(t testing.TB, net *simnet.Network, host, typ string, o zmtp.Open) *rawSender {
	t.Helper()
	return openOver(rawSim(t, net, host), typ, o)
}

// openOver is openTo over a connection.
func openOver(conn *raw, typ string, o zmtp.Open) *rawSender {
	t := conn.t
	t.Helper()
	r := &rawSender{raw: conn}
	r.shake(typ, yodelOf(zmtp.FeatureOpens, o.Stream[0], ""))
	c := o.Command()
	r.send(zmtp.AppendCommand(nil, c.Name, c.Data))
	for more := true; more; {
		name, data, err := zmtp.ParseCommand(r.frame().body)
		must(t, err)
		if name != zmtp.CommandOpened {
			t.Fatalf("%s came, want OPENED", name)
		}
		more, err = r.opened.Add(data)
		must(t, err)
		if more {
			r.send(zmtp.AppendCommand(nil, zmtp.CommandMore))
		}
	}
	return r
}

// aStream is the OPEN of a stream of which nothing was sent yet.
func aStream(id byte) zmtp.Open {
	return zmtp.Open{Stream: [16]byte{id}, Epoch: 1, Nonce: 1, Link: 1, Low: 1, Next: 1, WindowMessages: 1 << 20}
}

// A saying is what a receiver has said of messages: a command and what is in it.
type saying struct {
	name   string
	at     uint64
	above  []zmtp.Range
	delay  time.Duration
	reason string
}

// said takes the next command that is about messages.
func (r *rawSender) said() (s saying) {
	r.t.Helper()
	for {
		name, data, err := zmtp.ParseCommand(r.frame().body)
		must(r.t, err)
		s.name = name
		switch name {
		case zmtp.CommandAck:
			s.at, s.above, err = zmtp.ParseAck(data, nil)
		case zmtp.CommandNak:
			s.at, s.delay, err = zmtp.ParseNak(data)
		case zmtp.CommandTerm:
			s.at, s.reason, err = zmtp.ParseTerm(data)
		case zmtp.CommandBye:
		default:
			continue
		}
		must(r.t, err)
		return s
	}
}

func (r *rawSender) wantSaid(want saying) {
	r.t.Helper()
	if got := r.said(); got.name != want.name || got.at != want.at || !slices.Equal(got.above, want.above) ||
		got.delay != want.delay || got.reason != want.reason {
		r.t.Fatalf("%+v was said, want %+v", got, want)
	}
}

// A deliverer is a socket that tells more of what it receives.
type deliverer interface {
	socket.Receiver
	Next(ctx context.Context) (*socket.Delivery, error)
}

// nextDelivery takes the next delivery.
func nextDelivery(t testing.TB, s deliverer, want string) *socket.Delivery {
	t.Helper()
	d, err := s.Next(aDay(t))
	must(t, err)
	if got := string(d.Frames[len(d.Frames)-1]); got != want {
		t.Fatalf("%q came, want %q", got, want)
	}
	return d
}
