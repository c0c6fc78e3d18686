package sockettest_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket/internal/pyzmq"
	"github.com/yodel-mq/yodel/socket/sockettest"
)

// TestLibzmq holds our sockets against those of libzmq, each side in turn as the local one.
func TestLibzmq(t *testing.T) {
	t.Parallel()
	kernel := map[sockettest.Capability]string{sockettest.ExactQueues: "the kernel has buffers"}
	for name, endpoint := range map[string]func(testing.TB) string{"tcp": tcp, "ipc": ipc} {
		expected := maps.Clone(libzmqFailures)
		if name == "ipc" {
			expected["lifecycle/endpoint-taken"] = "the second socket takes the path away from the first"
		}
		t.Run("yodel-"+name, func(t *testing.T) {
			t.Parallel()
			sockettest.Run(t, sockettest.Factory{
				Local: yodel(), Remote: libzmq(t), Endpoint: endpoint, Dial: dial, Lacks: kernel,
			})
		})
		t.Run("libzmq-"+name, func(t *testing.T) {
			t.Parallel()
			sockettest.Run(t, sockettest.Factory{
				Local: libzmq(t), Remote: yodel(), Endpoint: endpoint, Dial: dial, Lacks: kernel,
				ExpectedFailures: expected,
				NotRun: map[string]string{
					"faults/request-survives-a-cut": "whether a cut meets a request under way, " +
						"for which the requester then waits for ever, is chance",
					"routing/same-name-again-and-again": "fails on some days: " +
						"the router notices late that a peer has gone, and ignores its successor",
				},
			})
		})
	}
}

// libzmqFailures are those of libzmq as the local side.
var libzmqFailures = map[string]string{
	"pipeline/unsent-goes-to-another-peer": "what is queued for an endpoint goes with it",
	"pubsub/publisher-killed":              "subscriptions beyond the high-water mark of 1,000 are dropped without a word",
	"pubsub/publisher-restarts":            "subscriptions beyond the high-water mark of 1,000 are dropped without a word",
	"reqrep/malformed-replies":             "a reply that is malformed ends the connection",
	"reqrep/only-a-proper-reply":           "a reply that is malformed ends the connection",
	"reqrep/peer-lost-is-told":             "the requester waits for ever",
	"reqrep/peer-killed-is-told":           "the requester waits for ever",
	"routing/the-next-in-line":             "a second peer of the same name is ignored for as long as it is connected",
	"pair/the-next-in-line":                "a second peer stays connected and is ignored",
	"queues/nothing-for-the-dead":          "every second message waits for the endpoint where nobody is",
}

// libzmq returns the side of libzmq, in one process for all sockets but those to be killed.
func libzmq(t testing.TB) sockettest.Side {
	shared := pyzmq.Start(t)
	return sockettest.Side{
		Name: "libzmq",
		New: func(t testing.TB, role string, o sockettest.Options) sockettest.Socket {
			t.Helper()
			p := shared
			if o.Killable {
				p = pyzmq.Start(t)
			}
			return newLibzmq(t, p, role, o)
		},
		Lacks: map[sockettest.Capability]string{
			sockettest.ManyGoroutines:  "its sockets belong to one thread",
			sockettest.CloseWakes:      "its sockets belong to one thread",
			sockettest.LastValueOption: "the application has to keep the messages",
			sockettest.RawPeers:        "what it makes of strange bytes is not for this module to test",
		},
	}
}

type zmqSocket struct {
	p     *pyzmq.Process
	id    int
	role  string
	ended bool
}

func newLibzmq(t testing.TB, p *pyzmq.Process, role string, o sockettest.Options) *zmqSocket {
	t.Helper()
	z := &zmqSocket{p: p, id: pyzmq.NextSocket(), role: role}
	opts := map[string]any{"RECONNECT_IVL": 5, "RECONNECT_IVL_MAX": 50}
	set := func(wanted bool, name string, value any) {
		if wanted {
			opts[name] = value
		}
	}
	set(o.Identity != "", "IDENTITY", bytesOption(o.Identity))
	set(o.SendHWM > 0, "SNDHWM", o.SendHWM)
	set(o.RecvHWM > 0, "RCVHWM", o.RecvHWM)
	set(o.Immediate, "IMMEDIATE", 1)
	set(o.Latest, "CONFLATE", 1)
	set(o.Probe, "PROBE_ROUTER", 1)
	set(o.NoDrop, "XPUB_NODROP", 1)
	set(o.Mandatory, "ROUTER_MANDATORY", 1)
	set(o.Handover, "ROUTER_HANDOVER", 1)
	set(o.Correlate, "REQ_CORRELATE", 1)
	set(o.Relaxed, "REQ_RELAXED", 1)
	set(o.Verbose, "XPUB_VERBOSE", 1)
	set(o.Verboser, "XPUB_VERBOSER", 1)
	set(o.Manual, "XPUB_MANUAL", 1)
	set(o.Welcome != "", "XPUB_WELCOME_MSG", bytesOption(o.Welcome))
	set(o.Handshake > 0, "HANDSHAKE_IVL", o.Handshake.Milliseconds())
	set(o.MaxMessage > 0, "MAXMSGSIZE", o.MaxMessage)
	set(o.Heartbeat > 0, "HEARTBEAT_IVL", o.Heartbeat.Milliseconds())
	set(o.Heartbeat > 0, "HEARTBEAT_TIMEOUT", o.Timeout.Milliseconds())
	set(o.TTL > 0, "HEARTBEAT_TTL", o.TTL.Milliseconds())
	for _, err := range []error{
		z.do("socket", map[string]any{"type": role, "options": opts}),
		z.do("monitor", nil),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return z
}

func bytesOption(s string) map[string]any {
	return map[string]any{"b64": base64.StdEncoding.EncodeToString([]byte(s))}
}

// slack is how long the script may take beyond its own timeouts.
const slack = 20 * time.Second

func (z *zmqSocket) do(op string, args map[string]any) error {
	_, err := z.p.Send(op, z.id, args).Wait(slack)
	return err
}

// within gives a command that waits no longer than ctx.
func (z *zmqSocket) within(ctx context.Context, op string, args map[string]any) (pyzmq.Reply, error) {
	d := 10 * time.Second
	if deadline, ok := ctx.Deadline(); ok {
		d = max(0, time.Until(deadline))
	}
	args["timeout"] = d.Milliseconds() + 1
	r, err := z.p.Send(op, z.id, args).Wait(d + slack)
	if errors.Is(err, pyzmq.ErrTimeout) {
		err = fmt.Errorf("%w: %w", context.DeadlineExceeded, err)
	}
	return r, err
}

func (z *zmqSocket) Bind(_ context.Context, endpoint string) (string, error) {
	r, err := z.p.Send("bind", z.id, map[string]any{"endpoint": endpoint}).Wait(slack)
	return r.Endpoint, err
}

func (z *zmqSocket) endpoint(op, endpoint string) error {
	return z.do(op, map[string]any{"endpoint": endpoint})
}

func (z *zmqSocket) Unbind(endpoint string) error  { return z.endpoint("unbind", endpoint) }
func (z *zmqSocket) Connect(endpoint string) error { return z.endpoint("connect", endpoint) }

// ConnectAs makes it a Namer.
func (z *zmqSocket) ConnectAs(endpoint, name string) error {
	if err := z.do("set", map[string]any{"options": map[string]any{"CONNECT_ROUTING_ID": bytesOption(name)}}); err != nil {
		return err
	}
	return z.Connect(endpoint)
}

func (z *zmqSocket) Disconnect(endpoint string) error { return z.endpoint("disconnect", endpoint) }

func (z *zmqSocket) Send(ctx context.Context, frames [][]byte) error {
	_, err := z.within(ctx, "send", map[string]any{"frames": frames})
	return err
}

func (z *zmqSocket) Recv(ctx context.Context) ([][]byte, error) {
	r, err := z.within(ctx, "recv", map[string]any{})
	return r.Frames, err
}

func (z *zmqSocket) Subscribe(topic string) error {
	return z.do("subscribe", map[string]any{"topics": [][]byte{[]byte(topic)}})
}

func (z *zmqSocket) Unsubscribe(topic string) error {
	return z.do("unsubscribe", map[string]any{"topics": [][]byte{[]byte(topic)}})
}

func (z *zmqSocket) WaitPeers(ctx context.Context, n int) error {
	_, err := z.within(ctx, "waitpeers", map[string]any{"count": n})
	if n > 0 || z.role != "PUSH" {
		return err
	}
	// Its monitor tells that the last peer is gone before the socket stops taking messages for it. One that connects
	// takes them all the time.
	for begin := time.Now(); err == nil && time.Since(begin) < time.Second/2; {
		var r pyzmq.Reply
		if r, err = z.p.Send("poll", z.id, map[string]any{"flag": "POLLOUT", "timeout": 0}).Wait(slack); r.Count == 0 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	return err
}

// Close lets queued messages leave for a second, which libzmq does behind the scenes. To close again does nothing.
func (z *zmqSocket) Close() error {
	if z.ended {
		return nil
	}
	z.ended = true
	return z.do("close", map[string]any{"linger": 1000})
}

func (z *zmqSocket) Kill() {
	z.ended = true
	z.p.Kill()
}
