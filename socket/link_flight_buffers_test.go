package socket

import (
	"fmt"
	"net"
	"slices"
	"testing"

	"github.com/yodel-mq/yodel/transport"
)

// gathering is a connection that writes several runs of bytes as one.
type gathering struct {
	net.Conn
	runs []string
}

func (g *gathering) WriteBuffers(v [][]byte) (n int64, err error) {
	for _, b := range v {
		g.runs = append(g.runs, string(b))
		n += int64(len(b))
	}
	return n, nil
}

// TestFlightGathers: a connection that can write several runs of bytes as one is given them all at once.
func TestFlightGathers(t *testing.T) {
	f := flight{vec: [][]byte{[]byte("header"), []byte("body")}}
	g := &gathering{}
	n, err := f.write(g)
	if n != 10 || err != nil || !slices.Equal(g.runs, []string{"header", "body"}) {
		t.Errorf("wrote %d of %q, %v", n, g.runs, err)
	}
	if !f.advance(n) {
		t.Error("something is left")
	}
}

// TestHandshakeOfTransportIsExplained: a peer with which a transport has not come to terms is not taken for an old one
// that wants the greeting in parts.
func TestHandshakeOfTransportIsExplained(t *testing.T) {
	if unexplained(fmt.Errorf("x: %w", transport.ErrHandshake)) {
		t.Error("it counts as hung up without a word")
	}
}
