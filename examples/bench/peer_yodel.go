package main

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"time"

	"github.com/yodel-mq/yodel/socket"
)

func yodelPeer() *peer {
	return &peer{
		name:    "yodel",
		version: func(context.Context, string) (string, error) { return "this checkout, " + runtime.Version(), nil },
		open:    func(ctx context.Context, role string, j job) (conn, error) { return openYodel(ctx, role, j, nil) },
		most:    func(*work, bool) int { return math.MaxInt },
	}
}

// reliablePeer is Yodel with acknowledgements, for the work that has a bar beside Yodel without.
func reliablePeer() *peer {
	return &peer{
		name:    "reliable",
		version: func(context.Context, string) (string, error) { return "Yodel WithReliable", nil },
		open: func(ctx context.Context, role string, j job) (conn, error) {
			return openYodel(ctx, role, j, nil, socket.WithReliable())
		},
		most: func(w *work, _ bool) int {
			if (w.Kind == oneWay && w.Size <= 1<<10 || w.Kind == roundTrip) && w.Transport != "inproc" {
				return math.MaxInt
			}
			return 0
		},
	}
}

// A yodelConn holds each message once: one body slice, one list of frames, sent over and over.
type yodelConn struct {
	sock     socket.Socket
	endpoint string
	bodies   []socket.Msg
	out      socket.Sender
	in       socket.Receiver
	release  bool // what is received
}

// openYodel makes the socket of a role, with security unless that is nil, and with options that fit every role.
func openYodel(ctx context.Context, role string, j job, security *pair, extra ...any) (conn, error) {
	c := &yodelConn{}
	raw, _, _ := j.bodies()
	for _, b := range raw {
		c.bodies = append(c.bodies, socket.NewMsg(b))
	}
	binds := true
	hwm := []any{socket.WithSendHWM(j.HWM), socket.WithRecvHWM(j.HWM)}
	hwm = append(hwm, extra...)
	if security != nil {
		hwm = append(hwm, socket.WithSecurity(security.binds))
	}
	switch role {
	case "push":
		s := socket.NewPush(options[socket.PushOption](hwm)...)
		c.sock, c.out, binds = s, s, false
	case "pull", "pullreleased", "idle":
		s := socket.NewPull(options[socket.PullOption](hwm)...)
		c.sock, c.in, c.release = s, s, role == "pullreleased"
	case "req":
		s := socket.NewReq(options[socket.ReqOption](hwm)...)
		c.sock, c.out, c.in, binds = s, s, s, false
	case "rep":
		s := socket.NewRep(options[socket.RepOption](hwm)...)
		c.sock, c.out, c.in = s, s, s
	case "pub":
		s := socket.NewPub(append(options[socket.PubOption](hwm), socket.WithOverflow(socket.Block))...)
		c.sock, c.out = s, s
	case "sub":
		s := socket.NewSub(options[socket.SubOption](hwm)...)
		c.sock, c.in, binds = s, s, false
	default:
		return nil, fmt.Errorf("bench: yodel has no role %q", role)
	}
	var err error
	if binds {
		c.endpoint, err = c.sock.Bind(ctx, j.Endpoint)
		return c, err
	}
	if err = connectYodel(c.sock, j.Endpoint, security); err == nil && role == "sub" {
		err = c.sock.WaitPeers(ctx, 1) // the order of subscriptions is theirs on the wire from here on
	}
	return c, err
}

func connectYodel(s socket.Socket, endpoint string, security *pair) error {
	if security == nil {
		return s.Connect(endpoint)
	}
	with := s.(interface {
		ConnectWith(endpoint string, opts ...socket.EndpointOption) error
	})
	return with.ConnectWith(endpoint, socket.SecuredBy(security.connects))
}

// options turns options that fit every socket into those of one role.
func options[O any](all []any) []O {
	fit := make([]O, len(all))
	for i, o := range all {
		fit[i] = o.(O)
	}
	return fit
}

func (c *yodelConn) Endpoint() string { return c.endpoint }

func (c *yodelConn) Subscribe(topic string) error { return c.sock.(*socket.Sub).Subscribe(topic) }

func (c *yodelConn) Send(ctx context.Context, i int) error { return c.out.Send(ctx, c.bodies[i]) }

func (c *yodelConn) Recv(ctx context.Context) (int, error) {
	m, err := c.in.Recv(ctx)
	if err != nil {
		return 0, err
	}
	size := len(m.Frames[0])
	if c.release {
		m.Release()
	}
	return size, nil
}

func (c *yodelConn) SendStamped(ctx context.Context) error {
	body := make([]byte, len(c.bodies[0].Frames[0]))
	stamp(body)
	return c.out.Send(ctx, socket.NewMsg(body))
}

func (c *yodelConn) RecvStamped(ctx context.Context) (size int, since time.Duration, err error) {
	m, err := c.in.Recv(ctx)
	if err != nil {
		return 0, 0, err
	}
	if size = len(m.Frames[0]); size > len(c.bodies[0].Frames[0]) {
		since = age(m.Frames[0])
	}
	return size, since, nil
}

func (c *yodelConn) Echo(ctx context.Context) error {
	m, err := c.in.Recv(ctx)
	if err != nil {
		return err
	}
	return c.out.Send(ctx, m)
}

func (c *yodelConn) Trip(ctx context.Context) error {
	if err := c.out.Send(ctx, c.bodies[0]); err != nil {
		return err
	}
	_, err := c.in.Recv(ctx)
	return err
}

func (c *yodelConn) Close(ctx context.Context) error { return c.sock.Shutdown(ctx) }
