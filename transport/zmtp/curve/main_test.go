package curve

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"go.uber.org/goleak"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Keys of the tests.
var (
	serverKey = GenerateKey()
	clientKey = GenerateKey()
	otherKey  = GenerateKey()
)

var (
	pushMetadata = zmtp.AppendMetadata(nil, zmtp.Metadata{{Name: zmtp.PropertySocketType, Value: []byte("PUSH")}})
	pullMetadata = zmtp.AppendMetadata(nil, zmtp.Metadata{{Name: zmtp.PropertySocketType, Value: []byte("PULL")}})
)

// A side is one end of a connection in a test: an exchange, and what it has asked about the peer.
type side struct {
	ex       zmtp.Exchange
	metadata []byte   // what the peer said of itself
	asked    [][]byte // the credentials it had
	verdict  error    // what the authenticator says
}

// newSide begins an exchange and returns its first command.
func newSide(t testing.TB, m zmtp.Mechanism, metadata []byte) (*side, zmtp.Command) {
	t.Helper()
	s := &side{}
	ex, first, err := m.New(s.local(t, metadata))
	if err != nil {
		t.Fatal(err)
	}
	s.ex = ex
	return s, first
}

func (s *side) local(t testing.TB, metadata []byte) zmtp.Local {
	return zmtp.Local{
		Metadata: metadata,
		Peer: func(_ context.Context, metadata []byte) error {
			if s.metadata != nil {
				t.Error("the peer was judged twice")
			}
			s.metadata = append([]byte{}, metadata...)
			return nil
		},
		Authenticate: func(_ context.Context, credentials ...[]byte) error {
			for _, c := range credentials {
				s.asked = append(s.asked, bytes.Clone(c))
			}
			return s.verdict
		},
	}
}

// clone returns a side in the same state, which goes its own way from there.
func (s *side) clone(t testing.TB) *side {
	c := &side{}
	switch e := s.ex.(type) {
	case *clientExchange:
		e = new(*e)
		e.local = c.local(t, e.local.Metadata)
		if e.secret != nil {
			e.secret = new(*e.secret)
		}
		e.shared = new(*e.shared)
		c.ex = e
	case *serverExchange:
		e = new(*e)
		e.local = c.local(t, e.local.Metadata)
		c.ex = e
	}
	return c
}

// step gives a side a command that it is to take.
func (s *side) step(t testing.TB, c zmtp.Command) zmtp.Command {
	t.Helper()
	send, _, err := s.ex.Step(t.Context(), c)
	if err != nil {
		t.Fatalf("%s: %v", c.Name, err)
	}
	return send
}

// refuses gives a side a command that it is to refuse without an answer, and without having let anybody in.
func (s *side) refuses(t testing.TB, c zmtp.Command) bool {
	t.Helper()
	send, done, err := s.ex.Step(t.Context(), c)
	if done || send.Name != "" || !errors.Is(err, zmtp.ErrMalformed) || s.metadata != nil || s.asked != nil {
		t.Errorf("%s of %d bytes: sent %q, done: %t, metadata %q, asked %q, %v", c.Name, len(c.Data), send.Name, done,
			s.metadata, s.asked, err)
		return false
	}
	return true
}

// pair begins both ends of a connection.
func pair(t testing.TB) (client, server *side, hello zmtp.Command) {
	t.Helper()
	client, hello = newSide(t, Client(clientKey, serverKey.Public()), pushMetadata)
	server, _ = newSide(t, testServer, pullMetadata)
	return client, server, hello
}

var testServer = Server(serverKey, Allow(clientKey.Public()))

// connected brings both ends of a connection through the handshake.
func connected(t testing.TB) (client, server *traffic) {
	t.Helper()
	c, s, hello := pair(t)
	c.step(t, s.step(t, c.step(t, s.step(t, hello))))
	return &c.ex.(*clientExchange).traffic, &s.ex.(*serverExchange).traffic
}

// inside returns the body of the frame that Seal has made.
func inside(t testing.TB, frame []byte) []byte {
	t.Helper()
	h, n, err := zmtp.ParseHeader(frame)
	if err != nil || n == 0 || h.Size != uint64(len(frame)-n) || h.Flags != 0 {
		t.Fatalf("no frame, or another than a message's: %+v, % x, %v", h, frame, err)
	}
	return frame[n:]
}

// altered is a command with other data.
func altered(c zmtp.Command, data []byte) zmtp.Command { return zmtp.Command{Name: c.Name, Data: data} }
