//go:build unix

package interop

import (
	"syscall"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket/internal/pyzmq"
)

// A peer is a process with libzmq in it, driven by commands.
type peer struct{ *pyzmq.Process }

// sharedPeer serves all tests that do not kill theirs.
func sharedPeer(t *testing.T) *peer {
	t.Helper()
	return &peer{pyzmq.Shared(t)}
}

// startPeer starts a process of the test's own, which ends with it.
func startPeer(t *testing.T) *peer {
	t.Helper()
	return &peer{pyzmq.Start(t)}
}

// freeze stops the process without ending it: its connections stay open and go silent. thaw lets it go on.
func (p *peer) freeze(t *testing.T) {
	t.Helper()
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Signal(syscall.SIGCONT) })
}

func (p *peer) thaw(t *testing.T) {
	t.Helper()
	if err := p.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
}

// patience is how long anything may take that should happen at once, on a machine that is busy.
const patience = 30 * time.Second

// A pending is a command whose reply is still to come.
type pending struct{ pyzmq.Pending }

// result waits for the reply.
func (c pending) result() (reply, error) {
	r, err := c.Wait(2 * patience)
	return reply{r}, err
}

// wait waits for the reply, which must be a success.
func (c pending) wait(t *testing.T) reply {
	t.Helper()
	r, err := c.result()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

type reply struct{ pyzmq.Reply }

// stream is what the peer counted of a sequence of messages.
func (r reply) stream() stream { return stream{Count: r.Count, Bytes: r.Bytes, Hash: r.Hash} }
