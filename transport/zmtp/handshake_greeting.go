package zmtp

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// A greeter sends our greeting, in parts or at once.
type greeter struct {
	w         *backgroundWriter
	staged    bool
	mechanism string
	rest      []byte // not sent yet
}

func (g *greeter) send(n int) {
	if n > 0 {
		g.w.send(g.rest[:n:n])
		g.rest = g.rest[n:]
	}
}

func (g *greeter) flush() { g.send(len(g.rest)) }

// sendCommand sends a command, together with what is left of the greeting.
func (g *greeter) sendCommand(c Command) {
	g.rest = AppendCommand(g.rest, c.Name, c.Data)
	g.flush()
}

// seen sends what a peer may have that has sent n bytes of its own, which were
// accepted. When its greeting is whole the rest goes together with our READY.
func (g *greeter) seen(n int) {
	const whole = GreetingSize - atMajor
	switch {
	case n == atMajor && len(g.rest) == whole:
		g.send(1)
	case n > atMajor && n < GreetingSize:
		g.flush()
	}
}

// hungUp guesses why a peer hung up after n bytes of its greeting; empty if it
// has no idea.
func (g *greeter) hungUp(n int) string {
	var who []string
	if !g.staged && (n == 0 || n >= atMajor) {
		who = append(who, "a peer of ZMTP 2.0 (libzmq before 4.0, JeroMQ before 0.4.1)")
	}
	if n >= atMajor { // libzmq sends its mechanism last and hangs up once ours is another
		who = append(who, "a libzmq that wants another security mechanism than our "+g.mechanism)
	}
	return strings.Join(who, ", or ")
}

// readGreeting takes the peer's greeting. Ours goes out along with it.
func readGreeting(in *readBuffer, ours *greeter) (Greeting, error) {
	for len(in.buf) < GreetingSize {
		if err := in.more("greeting"); err != nil {
			if who := ours.hungUp(len(in.buf)); who != "" && errors.Is(err, io.ErrUnexpectedEOF) {
				err = fmt.Errorf("%w (so does %s)", err, who)
			}
			return Greeting{}, err
		}
		if err := CheckGreetingPrefix(in.buf); err != nil {
			return Greeting{}, err
		}
		ours.seen(len(in.buf))
	}
	return ParseGreeting(in.take(GreetingSize))
}
