package socket

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"reflect"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/transport"
)

// configured is what the options come to, whatever their role.
func configured(opts ...Option) config {
	return configure(defaults(), opts)
}

func TestDefaults(t *testing.T) {
	c := defaults()
	for _, d := range []struct {
		name      string
		got, want any
	}{
		{"identity", len(c.identity), 0},
		{"send HWM", c.sendMark.messages, uint64(1000)},
		{"send HWM in bytes", c.sendMark.bytes, uint64(64 << 20)},
		{"receive HWM", c.recvMark.messages, uint64(1000)},
		{"receive HWM in bytes", c.recvMark.bytes, uint64(64 << 20)},
		{"reconnect", c.reconnect, 100 * time.Millisecond},
		{"reconnect limit", c.reconnectMax, 2 * time.Second},
		{"connect timeout", c.connectTimeout, 10 * time.Second},
		{"handshake timeout", c.handshakeTimeout, 10 * time.Second},
		{"heartbeat", c.heartbeat, heartbeat{5 * time.Second, 15 * time.Second, 15 * time.Second}},
		{"limits", c.limits, Limits{
			MaxMessage: 64 << 20, MaxFrames: 1024, MaxTopic: 1024, MaxSubscriptions: 100_000, MaxMetadata: 4096,
			MaxHandshakes: 1024, MaxAuthentications: 64, MaxPeers: 65_536, MinRate: 128,
			MaxPerAddress: 16_384, MaxHandshakeRate: 1000,
		}},
		{"linger", c.linger, 500 * time.Millisecond},
		{"no logger", c.logger == nil, true},
		{"retries", c.retries, 0},
		{"correlates", !c.uncorrelate, true},
		{"topics", len(c.topics), 0},
	} {
		if d.got != d.want {
			t.Errorf("%s is %v, want %v", d.name, d.got, d.want)
		}
	}
	for _, scheme := range []string{"tcp", "ipc", "inproc"} {
		if tr := c.transports[scheme]; tr == nil || tr.Scheme() != scheme {
			t.Errorf("the transport for %s is %v", scheme, tr)
		}
	}
	if n := len(c.transports); n != 3 {
		t.Errorf("%d transports, want 3", n)
	}
}

func TestOptions(t *testing.T) {
	sendHWM := func(c config) any { return c.sendMark.messages }
	sendBytes := func(c config) any { return c.sendMark.bytes }
	recvHWM := func(c config) any { return c.recvMark.messages }
	recvBytes := func(c config) any { return c.recvMark.bytes }
	reconnect := func(c config) any { return [2]time.Duration{c.reconnect, c.reconnectMax} }
	connectTimeout := func(c config) any { return c.connectTimeout }
	handshakeTimeout := func(c config) any { return c.handshakeTimeout }
	beat := func(c config) any { return c.heartbeat }
	linger := func(c config) any { return c.linger }
	logger := func(c config) any { return c.logger }
	log := slog.New(slog.DiscardHandler)

	for _, o := range []struct {
		name   string
		option Option
		of     func(config) any
		want   any
	}{
		{"identity", WithIdentity("me"), func(c config) any { return string(c.identity) }, "me"},
		{"send HWM", WithSendHWM(7), sendHWM, uint64(7)},
		{"send HWM of zero is none", WithSendHWM(0), sendHWM, uint64(0)},
		{"negative send HWM is none", WithSendHWM(-1), sendHWM, uint64(0)},
		{"send HWM leaves that in bytes", WithSendHWM(7), sendBytes, uint64(64 << 20)},
		{"send HWM in bytes", WithSendHWMBytes(7), sendBytes, uint64(7)},
		{"negative send HWM in bytes is none", WithSendHWMBytes(-1), sendBytes, uint64(0)},
		{"send HWM in bytes leaves that in messages", WithSendHWMBytes(7), sendHWM, uint64(1000)},
		{"receive HWM", WithRecvHWM(7), recvHWM, uint64(7)},
		{"receive HWM of zero is none", WithRecvHWM(0), recvHWM, uint64(0)},
		{"negative receive HWM is none", WithRecvHWM(-1), recvHWM, uint64(0)},
		{"receive HWM in bytes", WithRecvHWMBytes(1 << 40), recvBytes, uint64(1 << 40)},
		{"negative receive HWM in bytes is none", WithRecvHWMBytes(-1), recvBytes, uint64(0)},

		{"reconnect", WithReconnect(time.Second, time.Minute), reconnect, [2]time.Duration{time.Second, time.Minute}},
		{
			"reconnect of zero", WithReconnect(0, time.Minute), reconnect, [2]time.Duration{100 * time.Millisecond, time.Minute},
		},
		{
			"negative reconnect", WithReconnect(-1, time.Minute), reconnect,
			[2]time.Duration{100 * time.Millisecond, time.Minute},
		},
		{
			"reconnect limit below the interval", WithReconnect(time.Minute, time.Second), reconnect,
			[2]time.Duration{time.Minute, time.Minute},
		},
		{
			"reconnect limit below the default interval", WithReconnect(0, 0), reconnect,
			[2]time.Duration{100 * time.Millisecond, 100 * time.Millisecond},
		},

		{"connect timeout", WithConnectTimeout(time.Second), connectTimeout, time.Second},
		{"connect timeout of zero is none", WithConnectTimeout(0), connectTimeout, time.Duration(0)},
		{"negative connect timeout is none", WithConnectTimeout(-1), connectTimeout, time.Duration(0)},
		{"handshake timeout", WithHandshakeTimeout(time.Second), handshakeTimeout, time.Second},
		{"handshake timeout of zero", WithHandshakeTimeout(0), handshakeTimeout, 10 * time.Second},
		{"negative handshake timeout", WithHandshakeTimeout(-1), handshakeTimeout, 10 * time.Second},

		{"heartbeat", WithHeartbeat(1, 2, 3), beat, heartbeat{1, 2, 3}},
		{"heartbeat timeout of zero is three intervals", WithHeartbeat(7, 0, 3), beat, heartbeat{7, 21, 3}},
		{"heartbeat ttl of zero is the timeout", WithHeartbeat(7, 8, 0), beat, heartbeat{7, 8, 8}},
		{"interval only", WithHeartbeat(7, 0, 0), beat, heartbeat{7, 21, 21}},
		{"negative timeout and ttl", WithHeartbeat(7, -1, -1), beat, heartbeat{7, 21, 21}},
		{"interval of zero is off", WithHeartbeat(0, 2, 3), beat, heartbeat{}},
		{"negative interval is off", WithHeartbeat(-1, 2, 3), beat, heartbeat{}},

		{"linger", WithLinger(time.Millisecond), linger, time.Millisecond},
		{"linger of zero", WithLinger(0), linger, time.Duration(0)},
		{"negative linger", WithLinger(-1), linger, time.Duration(0)},
		{"linger is bounded", WithLinger(time.Hour), linger, 700 * time.Millisecond},
		{"logger", WithLogger(log), logger, log},
		{"nil logger", WithLogger(nil), logger, (*slog.Logger)(nil)},
	} {
		t.Run(o.name, func(t *testing.T) {
			if got := o.of(configured(o.option)); got != o.want {
				t.Errorf("it comes to %v, want %v", got, o.want)
			}
		})
	}
}

func TestTheLastOptionWins(t *testing.T) {
	c := configured(WithSendHWM(1), WithIdentity("a"), WithSendHWM(2), WithIdentity("b"), WithHeartbeat(0, 0, 0),
		WithHeartbeat(1, 1, 1))
	if c.sendMark.messages != 2 || string(c.identity) != "b" || c.heartbeat != (heartbeat{1, 1, 1}) {
		t.Errorf("they come to HWM %d, identity %q and heartbeat %v", c.sendMark.messages, c.identity, c.heartbeat)
	}
}

func TestWithLimits(t *testing.T) {
	def := defaults().limits
	for _, l := range []struct {
		name string
		set  Limits
		want func(l *Limits) // changes to the default
	}{
		{"zero keeps all", Limits{}, func(*Limits) {}},
		{"one", Limits{MaxFrames: 3}, func(l *Limits) { l.MaxFrames = 3 }},
		{
			"all",
			Limits{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, true, 11, 12},
			func(l *Limits) { *l = Limits{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, true, 11, 12} },
		},
		{
			"negative takes away, but for the three that cannot be",
			Limits{-1, -2, -3, -4, -5, -6, -7, -8, -9, -10, false, -11, -12},
			func(l *Limits) {
				*l = Limits{
					MaxMetadata: def.MaxMetadata, MaxHandshakes: def.MaxHandshakes, MaxAuthentications: def.MaxAuthentications,
					MaxBuffered: -1,
				}
			},
		},
	} {
		t.Run(l.name, func(t *testing.T) {
			want := def
			l.want(&want)
			if got := configured(WithLimits(l.set)).limits; got != want {
				t.Errorf("limits are %+v, want %+v", got, want)
			}
		})
	}
	t.Run("one after the other", func(t *testing.T) {
		got := configured(WithLimits(Limits{MaxFrames: 3, CountLocal: true}), WithLimits(Limits{MaxTopic: 4})).limits
		if got.MaxFrames != 3 || got.MaxTopic != 4 || !got.CountLocal {
			t.Errorf("limits are %+v, want both of them set", got)
		}
	})
}

// A named transport does nothing but have a scheme.
type named struct{ scheme string }

var errNotReally = errors.New("not really a transport")

func (n named) Scheme() string                               { return n.scheme }
func (named) Validate(string, transport.Use) error           { return errNotReally }
func (named) Dial(context.Context, string) (net.Conn, error) { return nil, errNotReally }

func (named) Listen(context.Context, string) (transport.Listener, error) { return nil, errNotReally }

func TestWithTransport(t *testing.T) {
	mine, other := named{"mine"}, named{"tcp"}
	c := configured(WithTransport(mine), WithTransport(other))
	if c.transports["mine"] != mine || c.transports["tcp"] != other || c.transports["ipc"] == nil {
		t.Errorf("transports are %v, want one added and one replaced", c.transports)
	}
	if _, there := defaults().transports["mine"]; there {
		t.Error("a transport of one socket is there for all")
	}
	s := NewPull(WithTransport(mine))
	defer s.Close()
	if err := s.Connect("mine://anything"); !errors.Is(err, errNotReally) {
		t.Errorf("Connect: %v, want what the transport says", err)
	}
}

// Each role takes the options that are for it.
func TestRoleOptions(t *testing.T) {
	push := NewPush(WithOverflow(Reject), WithSendHWM(1))
	pull := NewPull(WithRecvHWM(2))
	pub := NewPub(WithOverflow(Disconnect), WithSendHWM(3))
	sub := NewSub(WithSubscription("a", "b"), WithSubscription("c"), WithRecvHWM(4))
	req := NewReq(WithRetry(5), WithCorrelate(false), WithIdentity("client"))
	rep := NewRep(WithSendHWM(6))
	defaultPush, defaultPub := NewPush(), NewPub()
	negative := NewReq(WithRetry(-1), WithCorrelate(false), WithCorrelate(true))
	for _, s := range []interface{ Close() error }{push, pull, pub, sub, req, rep, defaultPush, defaultPub, negative} {
		defer s.Close()
	}
	for _, c := range []struct {
		name      string
		got, want any
	}{
		{"overflow of a Push", push.cfg.overflow, Reject},
		{"the default is", defaultPush.cfg.overflow, Block},
		{"HWM of a Push", push.cfg.sendMark.messages, uint64(1)},
		{"HWM of a Pull", pull.cfg.recvMark.messages, uint64(2)},
		{"overflow of a Pub", pub.cfg.overflow, Disconnect},
		{"the default is ", defaultPub.cfg.overflow, DropNewest},
		{"HWM of a Pub", pub.cfg.sendMark.messages, uint64(3)},
		{"topics of a Sub", sub.cfg.topics, []string{"a", "b", "c"}},
		{"HWM of a Sub", sub.cfg.recvMark.messages, uint64(4)},
		{"retries of a Req", req.cfg.retries, 5},
		{"negative retries of a Req", negative.cfg.retries, 0},
		{"correlation of a Req", !req.cfg.uncorrelate, false},
		{"correlation turned off and on", !negative.cfg.uncorrelate, true},
		{"identity of a Req", string(req.cfg.identity), "client"},
		{"HWM of a Rep", rep.cfg.sendMark.messages, uint64(6)},
		{
			"types",
			[]string{push.Type(), pull.Type(), pub.Type(), sub.Type(), req.Type(), rep.Type()},
			[]string{"PUSH", "PULL", "PUB", "SUB", "REQ", "REP"},
		},
	} {
		if !reflect.DeepEqual(c.got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, c.got, c.want)
		}
	}
}
