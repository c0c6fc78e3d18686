package socket

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"unicode"
)

// sentinels are all errors to match with errors.Is.
var sentinels = map[string]error{
	"ErrClosed":             ErrClosed,
	"ErrWouldBlock":         ErrWouldBlock,
	"ErrNoPeers":            ErrNoPeers,
	"ErrPeerLost":           ErrPeerLost,
	"ErrTooLarge":           ErrTooLarge,
	"ErrInvalidOption":      ErrInvalidOption,
	"ErrState":              ErrState,
	"ErrNoEndpoint":         ErrNoEndpoint,
	"ErrNoFrames":           ErrNoFrames,
	"ErrHeartbeat":          ErrHeartbeat,
	"ErrProtocol":           ErrProtocol,
	"ErrLimit":              ErrLimit,
	"ErrSlow":               ErrSlow,
	"ErrDisconnected":       ErrDisconnected,
	"ErrEvicted":            ErrEvicted,
	"ErrTooFast":            ErrTooFast,
	"ErrTooManyFromAddress": ErrTooManyFromAddress,
	"ErrTimeout":            ErrTimeout,
}

func TestSentinels(t *testing.T) {
	for name, err := range sentinels {
		t.Run(name, func(t *testing.T) {
			text := err.Error()
			if text == "" || unicode.IsUpper([]rune(text)[0]) || strings.HasSuffix(text, ".") {
				t.Errorf("the text is %q; want it to start in lower case and to end without a full stop", text)
			}
			wrapped := opError("send", &PeerError{Op: "send", Err: fmt.Errorf("wrapped: %w", err)})
			if !errors.Is(wrapped, err) {
				t.Errorf("%v does not match what it wraps", wrapped)
			}
			for other, target := range sentinels {
				if other != name && errors.Is(err, target) && (name != "ErrNoPeers" || other != "ErrWouldBlock") {
					t.Errorf("it matches %s as well", other)
				}
			}
		})
	}
}

func TestErrClosedIsNetErrClosed(t *testing.T) {
	if !errors.Is(ErrClosed, net.ErrClosed) {
		t.Error("ErrClosed does not match net.ErrClosed")
	}
	if err := opError("recv", ErrClosed); !errors.Is(err, net.ErrClosed) || !isClosed(err) {
		t.Errorf("%v does not match net.ErrClosed", err)
	}
	if isClosed(net.ErrClosed) || isClosed(nil) {
		t.Error("a closed connection, or no error, is taken for a closed socket")
	}
}

func TestPeerError(t *testing.T) {
	peer := &Peer{Type: "REP", Address: "10.0.0.7:5555", Identity: []byte("db")}
	for _, c := range []struct {
		name string
		err  *PeerError
		want string
	}{
		{
			"peer and endpoint",
			&PeerError{Op: "no reply from", Peer: peer, Endpoint: "tcp://10.0.0.7:5555", Err: ErrPeerLost},
			`socket: no reply from REP 10.0.0.7:5555 ("db") (tcp://10.0.0.7:5555): the peer is gone`,
		},
		{
			"peer", &PeerError{Op: "send to", Peer: peer, Err: ErrPeerLost},
			`socket: send to REP 10.0.0.7:5555 ("db"): the peer is gone`,
		},
		{
			"endpoint", &PeerError{Op: "unbind", Endpoint: "ipc://x", Err: ErrNoEndpoint},
			"socket: unbind ipc://x: no such endpoint on this socket",
		},
		{"neither", &PeerError{Op: "send", Err: ErrClosed}, "socket: send: the socket is closed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.err.Error(); got != c.want {
				t.Errorf("it reads %q, want %q", got, c.want)
			}
			if errors.Unwrap(c.err) != c.err.Err {
				t.Error("Unwrap is not the cause")
			}
			wrapped := fmt.Errorf("in a program: %w", c.err)
			if pe, ok := errors.AsType[*PeerError](wrapped); !ok || pe != c.err {
				t.Error("AsType does not find it")
			}
		})
	}
}

func TestOpError(t *testing.T) {
	if err := opError("send", nil); err != nil {
		t.Errorf("no error becomes %v", err)
	}
	pe := &PeerError{Op: "no reply from", Err: ErrPeerLost}
	if err := opError("recv", pe); err != pe {
		t.Errorf("a PeerError becomes %v", err)
	}
	err := opError("recv", context.Canceled)
	if err.Error() != "socket: recv: context canceled" || !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled context becomes %v", err)
	}
}

// What callers get to see from a socket without peers.
func TestErrorTexts(t *testing.T) {
	ctx := t.Context()
	gone, cancel := context.WithCancel(ctx)
	cancel()
	closed := NewPush()
	closedReq, closedRep := NewReq(), NewRep()
	for _, s := range []interface{ Close() error }{closed, closedReq, closedRep} {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	push, sub, req, rep := NewPush(WithLimits(Limits{MaxFrames: 2, MaxMessage: 8})), NewSub(), NewReq(), NewRep()
	named := NewReq(WithIdentity(strings.Repeat("n", 256)))
	for _, s := range []interface{ Close() error }{push, sub, req, rep, named} {
		defer s.Close()
	}
	only := func(_ any, err error) error { return err }
	for _, c := range []struct {
		name string
		err  error
		is   error
		want string
	}{
		{"send on a closed socket", closed.Send(ctx, Text("x")), ErrClosed, "socket: send: the socket is closed"},
		{"try to", closed.TrySend(Text("x")), net.ErrClosed, "socket: send: the socket is closed"},
		{
			"bind one", only(closed.Bind(ctx, "inproc://closed")), ErrClosed,
			"socket: bind inproc://closed: the socket is closed",
		},
		{
			"connect one", closed.Connect("inproc://closed"), ErrClosed,
			"socket: connect inproc://closed: the socket is closed",
		},
		{"wait for its peers", closed.WaitPeers(ctx, 1), ErrClosed, "socket: wait for peers: the socket is closed"},
		{"receive on one", only(closedRep.Recv(ctx)), ErrClosed, "socket: recv: the socket is closed"},
		{"ask one", only(closedReq.Do(ctx, Text("x"))), ErrClosed, ""},
		{"no frames", push.Send(ctx, Msg{}), ErrNoFrames, "socket: send: a message needs at least one frame"},
		{
			"too many frames", push.Send(ctx, Text("", "", "")), ErrTooLarge,
			"socket: send: over the limit: a message of 3 frames, the limit is 2",
		},
		{
			"too many bytes", push.Send(ctx, Text("12345", "6789")), ErrTooLarge,
			"socket: send: over the limit: a message of 9 bytes, the limit is 8",
		},
		{"nobody to send to", push.TrySend(Text("x")), ErrNoPeers, "socket: send: no peer is connected"},
		{"nobody until the context ends", push.Send(gone, Text("x")), context.Canceled, ""},
		{
			"which says what was missing", push.Send(gone, Text("x")), ErrNoPeers,
			"socket: send: no peer is connected: context canceled (no peer: the socket is neither bound nor connected)",
		},
		{
			"wait for peers until then", push.WaitPeers(gone, 2), context.Canceled,
			"socket: wait for 2 peers, have 0: context canceled (no peer: the socket is neither bound nor connected)",
		},
		{
			"nothing comes until then", only(sub.Recv(gone)), context.Canceled,
			"socket: recv: context canceled (no peer: the socket is neither bound nor connected)",
		},
		{
			"long topic", sub.Subscribe(strings.Repeat("t", 1025)), ErrTooLarge,
			"socket: subscribe: over the limit: a topic of 1025 bytes, the limit is 1024",
		},
		{
			"unsubscribe too much", sub.Unsubscribe("news"), ErrState,
			`socket: unsubscribe: out of turn: "news" was not subscribed`,
		},
		{"reply to nothing", rep.Send(ctx, Text("x")), ErrState, "socket: send: out of turn: receive a request first"},
		{"wait for a reply to nothing", only(req.Recv(ctx)), ErrState, "socket: recv: out of turn: no request was sent"},
		{
			"unbind", push.Unbind("tcp://127.0.0.1:1"), ErrNoEndpoint,
			"socket: unbind tcp://127.0.0.1:1: no such endpoint on this socket",
		},
		{
			"disconnect", push.Disconnect("tcp://127.0.0.1:1"), ErrNoEndpoint,
			"socket: disconnect tcp://127.0.0.1:1: no such endpoint on this socket",
		},
		{"long identity", named.Connect("inproc://x"), ErrInvalidOption, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !errors.Is(c.err, c.is) {
				t.Errorf("error %v, want one that is %v", c.err, c.is)
			}
			if c.want != "" && fmt.Sprint(c.err) != c.want {
				t.Errorf("it reads %v, want %s", c.err, c.want)
			}
		})
	}
}

func TestEndpointErrors(t *testing.T) {
	s := NewPull()
	defer s.Close()
	for _, c := range []struct{ endpoint, want string }{
		{"127.0.0.1:5555", "no scheme; write it as tcp://127.0.0.1:5555"},
		{"udp://127.0.0.1:5555", `no transport for "udp://"; write tcp://, ipc:// or inproc://, or add one by WithTransport`},
		{"inproc://", "write it as inproc://name"},
		{"", "it is empty; write it as tcp://"},
	} {
		t.Run(c.endpoint, func(t *testing.T) {
			_, err := s.Bind(t.Context(), c.endpoint)
			checkError(t, err, strings.TrimSpace("socket: bind "+c.endpoint))
			checkError(t, err, c.want)
			err = s.Connect(c.endpoint)
			checkError(t, err, strings.TrimSpace("socket: connect "+c.endpoint))
			checkError(t, err, c.want)
			if pe, ok := errors.AsType[*PeerError](err); !ok || pe.Endpoint != c.endpoint {
				t.Errorf("%v is not a PeerError with the endpoint", err)
			}
		})
	}
}
