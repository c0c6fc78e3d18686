package zmqcompat_test

import (
	"errors"
	"log"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-zeromq/zmq4/security/null"
	"github.com/go-zeromq/zmq4/security/plain"

	"github.com/yodel-mq/yodel/socket"
	zmq4 "github.com/yodel-mq/yodel/socket/zmqcompat"
)

func TestWithSecurity(t *testing.T) {
	tests := []struct {
		name string
		sec  zmq4.Security
		ok   bool
	}{
		{"nil", nil, true},
		{"NULL", null.Security(), true},
		{"PLAIN", plain.Security("user", "secret"), false},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			pull := ours(zmq4.Pull)(t)
			there := listen(t, pull)
			s := ours(zmq4.Push, zmq4.WithSecurity(tc.sec))(t)
			errs := []error{s.Dial(there), s.Listen("tcp://127.0.0.1:0")}
			for _, err := range errs {
				if tc.ok {
					check(t, err)
					continue
				}
				wantErr(t, err, errors.ErrUnsupported)
				if text := err.Error(); !strings.Contains(text, string(zmq4.PlainSecurity)) || strings.Contains(text, "secret") {
					t.Errorf("error %q", text)
				}
			}
			if n := len(zmq4.Engine(pull).Stats().Peers); !tc.ok && n != 0 {
				t.Errorf("%d connections without the security asked for", n)
			}
		})
	}
}

func TestWithID(t *testing.T) {
	tests := map[string][]zmq4.Option{
		"me": {zmq4.WithID(zmq4.SocketIdentity("me")), nil},
		"":   {zmq4.WithID(nil)},
	}
	for want, opts := range tests {
		t.Run("id "+want, func(t *testing.T) {
			router, dealer := ours(zmq4.Router)(t), ours(zmq4.Dealer, opts...)(t)
			dial(t, dealer, listen(t, router))
			send(t, dealer, "x")
			id := recv(t, router)[0]
			if want != "" && id != want || want == "" && (len(id) != 5 || id[0] != 0) {
				t.Errorf("identity %q, want %q", id, want)
			}
			send(t, router, id, "y")
			wantFrames(t, dealer, "y")
		})
	}
}

// lines keeps what is logged.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// TestWithLogger: one line for what goes wrong, with the logger's prefix, and none for what goes well.
func TestWithLogger(t *testing.T) {
	out := new(lines)
	pull := ours(zmq4.Pull, zmq4.WithLogger(log.New(out, "here: ", 0)))(t)
	ep := listen(t, pull)
	push := ours(zmq4.Push)(t)
	dial(t, push, ep)
	send(t, push, "x")
	wantFrames(t, pull, "x")
	if err := ours(zmq4.Pub, zmq4.WithLogger(nil))(t).Dial(ep); err == nil {
		t.Fatal("a PUB dialled a PULL")
	}
	eventually(t, func() bool { return strings.Count(out.String(), "\n") > 0 })
	check(t, pull.Close()) // waits for the logger
	got := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(got) != 1 || !strings.HasPrefix(got[0], "here: yodel: handshake failed endpoint="+ep) {
		t.Errorf("logged %q", got)
	}
}

// TestWithDialerRetry: no pause is shorter than asked for, within Dial or later.
func TestWithDialerRetry(t *testing.T) {
	const pause = 10 * time.Millisecond
	s := ours(zmq4.Pull, zmq4.WithDialerRetry(pause), zmq4.WithDialerMaxRetries(4))(t)
	begin := time.Now()
	if err := s.Dial(freePort(t)); err == nil {
		t.Fatal("dialled nobody")
	}
	if d := time.Since(begin); d < 4*pause {
		t.Errorf("5 attempts took %v, want at least %v", d, 4*pause)
	}
	n := 0
	for ev := range zmq4.Engine(s).Events(t.Context()) {
		if ev.Kind == socket.Retrying {
			n++
			if ev.Retry < pause || ev.Retry > 2*pause {
				t.Errorf("pause of %v, want %v to %v", ev.Retry, pause, 2*pause)
			}
		}
		if ev.Kind == socket.Disconnected {
			break
		}
	}
	if n < 4 {
		t.Errorf("%d pauses, want 4", n)
	}
}

// TestWithDialerTimeout bounds one attempt, of a transport that would wait.
func TestWithDialerTimeout(t *testing.T) {
	s := ours(zmq4.Pull, zmq4.WithDialerTimeout(time.Millisecond), zmq4.WithDialerMaxRetries(1),
		zmq4.WithDialerRetry(time.Second))(t)
	err := s.Dial(endpoints(t)["inproc"]) // nobody binds the name
	if err == nil {
		t.Fatal("dialled nobody")
	}
	for ev := range zmq4.Engine(s).Events(t.Context()) {
		if ev.Kind == socket.ConnectFailed {
			wantErr(t, ev.Err, socket.ErrTimeout)
			return
		}
	}
}

// TestOptionsAtTheirEdges: values out of range do what their documentation says rather than harm.
func TestOptionsAtTheirEdges(t *testing.T) {
	opts := []zmq4.Option{
		nil,
		zmq4.WithDialerRetry(-1),
		zmq4.WithDialerTimeout(-1),
		zmq4.WithTimeout(-1),
		zmq4.WithDialerMaxRetries(-7),
		zmq4.WithAutomaticReconnect(false),
	}
	push := ours(zmq4.Push, opts...)(t)
	ep := freePort(t)
	dial(t, push, ep)
	send(t, push, "x")
	pull := ours(zmq4.Pull, opts...)(t)
	check(t, pull.Listen(ep))
	wantFrames(t, pull, "x")
}
