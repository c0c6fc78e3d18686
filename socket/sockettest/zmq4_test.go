package sockettest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-zeromq/zmq4"

	"github.com/yodel-mq/yodel/socket/sockettest"
)

// goZeromq returns the side of github.com/go-zeromq/zmq4, in a process that is left when something has failed there.
func goZeromq(t testing.TB) sockettest.Side {
	h := &shelter{side: "go-zeromq"}
	t.Cleanup(h.close)
	s := goZeromqHere
	s.New = h.newSocket
	return s
}

// goZeromqHere is the same in this process.
var goZeromqHere = sockettest.Side{
	Name:     "go-zeromq",
	Attempts: 5, // its reconnect, its Close and its Dial race with each other
	New:      newGoZeromq,
	Lacks: map[sockettest.Capability]string{
		sockettest.CallContext:     "calls take no context; one that is given up goes on behind the scenes",
		sockettest.PeerCount:       "there is no list of peers",
		sockettest.Unbinding:       "there is neither unbind nor disconnect",
		sockettest.HighWaterMarks:  "PUB alone has one, which counts messages nobody subscribed to",
		sockettest.ImmediateOption: "no such option",
		sockettest.LatestOption:    "no such option",
		sockettest.ProbeOption:     "no such option",
		sockettest.NoDropOption:    "no such option",
		sockettest.MandatoryOption: "no such option",
		sockettest.HandoverOption:  "no such option",
		sockettest.CorrelateOption: "no such option",
		sockettest.RelaxedOption:   "no such option",
		sockettest.VerboseOption:   "no such option",
		sockettest.ManualOption:    "no such option",
		sockettest.WelcomeOption:   "no such option",
		sockettest.LastValueOption: "no such option",
		sockettest.Naming:          "no such option",
		sockettest.RawPeers:        "nine bytes of a stranger end the process",
	},
}

// A zmq4Socket runs each call in a goroutine, since none can be ended.
type zmq4Socket struct {
	make   func(reconnects bool) zmq4.Socket
	ctx    context.Context //nolint:containedctx // the life of the socket, which go-zeromq wants
	cancel context.CancelFunc

	mu      sync.Mutex
	s       zmq4.Socket      // nil until it is known what for
	topics  []string         // subscriptions until then
	dials   int              // how many Connects there were
	up      int              // how many of them have succeeded
	err     error            // why one has not
	changed chan struct{}    // closed when up or err changes
	late    chan zmq4Message // a Recv that was given up
}

type zmq4Message struct {
	frames [][]byte
	err    error
}

func newGoZeromq(t testing.TB, role string, o sockettest.Options) sockettest.Socket {
	t.Helper()
	z := &zmq4Socket{changed: make(chan struct{})}
	z.ctx, z.cancel = context.WithCancel(context.WithoutCancel(t.Context()))
	makers := map[string]func(context.Context, ...zmq4.Option) zmq4.Socket{
		"PUSH": zmq4.NewPush, "PULL": zmq4.NewPull, "PUB": zmq4.NewPub, "SUB": zmq4.NewSub, "XPUB": zmq4.NewXPub,
		"XSUB": zmq4.NewXSub,
		"REQ":  zmq4.NewReq, "REP": zmq4.NewRep, "DEALER": zmq4.NewDealer, "ROUTER": zmq4.NewRouter, "PAIR": zmq4.NewPair,
	}
	z.make = func(reconnects bool) zmq4.Socket {
		opts := []zmq4.Option{
			zmq4.WithLogger(log.New(io.Discard, "", 0)),
			zmq4.WithDialerRetry(10 * time.Millisecond), zmq4.WithDialerMaxRetries(-1),
			zmq4.WithAutomaticReconnect(reconnects),
		}
		if o.Identity != "" {
			opts = append(opts, zmq4.WithID(zmq4.SocketIdentity(o.Identity)))
		}
		return makers[role](z.ctx, opts...)
	}
	return z
}

// socket returns the socket, which is made when it is first bound or connected: one that is bound must not be told to
// reconnect, since it would dial what it is bound to.
func (z *zmq4Socket) socket(reconnects bool) zmq4.Socket {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.s == nil {
		z.s = z.make(reconnects)
		for _, topic := range z.topics {
			_ = z.s.SetOption(zmq4.OptionSubscribe, topic) // it sends nothing yet
		}
	}
	return z.s
}

func (z *zmq4Socket) Bind(_ context.Context, endpoint string) (string, error) {
	s := z.socket(false)
	if err := s.Listen(strings.Replace(endpoint, ":*", ":0", 1)); err != nil {
		return "", err
	}
	if strings.HasPrefix(endpoint, "tcp") {
		return "tcp://" + s.Addr().String(), nil
	}
	return endpoint, nil
}

var errNotHere = errors.New("go-zeromq has no such thing")

func (z *zmq4Socket) Unbind(string) error     { return errNotHere }
func (z *zmq4Socket) Disconnect(string) error { return errNotHere }

// Connect leaves the dialling, which waits, to a goroutine.
func (z *zmq4Socket) Connect(endpoint string) error {
	if z.ctx.Err() != nil {
		return z.ctx.Err()
	}
	s := z.socket(true)
	z.mu.Lock()
	z.dials++
	z.mu.Unlock()
	go func() {
		err := s.Dial(endpoint)
		z.mu.Lock()
		defer z.mu.Unlock()
		if err == nil {
			z.up++
		}
		z.err = errors.Join(z.err, err)
		close(z.changed)
		z.changed = make(chan struct{})
	}()
	return nil
}

// WaitPeers waits until as many of the endpoints dialled have been reached, or all of them.
func (z *zmq4Socket) WaitPeers(ctx context.Context, n int) error {
	for {
		z.mu.Lock()
		enough, err, changed := z.up >= min(n, z.dials), z.err, z.changed
		z.mu.Unlock()
		if enough || err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Send waits for what is being dialled first, and a REQ that is bound for a peer to be there, as an application would
// have.
func (z *zmq4Socket) Send(ctx context.Context, frames [][]byte) error {
	if err := z.WaitPeers(ctx, 1); err != nil {
		return err
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		err := z.send(ctx, frames)
		if err == nil || !strings.Contains(err.Error(), "no connections available") {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return err
		}
	}
}

func (z *zmq4Socket) send(ctx context.Context, frames [][]byte) error {
	done := make(chan error, 1)
	go func() {
		m := zmq4.NewMsgFrom(frames...)
		done <- z.guard(func() error { return z.socket(false).SendMulti(m) })
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// guard turns a panic on the caller's own goroutine into an error.
func (z *zmq4Socket) guard(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return f()
}

func (z *zmq4Socket) Recv(ctx context.Context) ([][]byte, error) {
	z.mu.Lock()
	late := z.late
	z.late = nil
	z.mu.Unlock()
	if late == nil {
		late = make(chan zmq4Message, 1)
		go func() {
			var m zmq4.Msg
			err := z.guard(func() (err error) { m, err = z.socket(false).Recv(); return err })
			late <- zmq4Message{m.Frames, err}
		}()
	}
	select {
	case m := <-late:
		return m.frames, m.err
	case <-ctx.Done():
		z.mu.Lock()
		z.late = late
		z.mu.Unlock()
		return nil, ctx.Err()
	}
}

func (z *zmq4Socket) Subscribe(topic string) error {
	z.mu.Lock()
	s := z.s
	if s == nil {
		z.topics = append(z.topics, topic)
	}
	z.mu.Unlock()
	if s == nil {
		return nil
	}
	return s.SetOption(zmq4.OptionSubscribe, topic)
}

func (z *zmq4Socket) Unsubscribe(topic string) error {
	return z.socket(false).SetOption(zmq4.OptionUnsubscribe, topic)
}

// Close gives it a second: it has been known to wait for ever.
func (z *zmq4Socket) Close() error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = z.socket(false).Close() // that it was closed already, or by the peer, is no error
	}()
	t := time.NewTimer(time.Second)
	defer t.Stop()
	var err error
	select {
	case <-done:
	case <-t.C:
		err = errors.New("close hangs")
	}
	z.cancel()
	return err
}
