package sockettest_test

import (
	"bufio"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"testing"

	"github.com/yodel-mq/yodel/socket/sockettest"
)

// childEnv names the side whose sockets a process of this test binary is to serve, instead of running tests.
const childEnv = "YODEL_SOCKETTEST_SIDE"

// childSides are the sides a process can serve.
func childSides() map[string]sockettest.Side {
	return map[string]sockettest.Side{
		"yodel":     sockettest.Yodel(),
		"go-zeromq": goZeromqHere,
		"wretched":  wretched,
	}
}

// A command is what a child is told to do with one of its sockets. Commands may overlap.
type command struct {
	ID      uint64
	Op      string
	Sock    uint64 // which socket; for "new" its number from now on
	Of      uint64 // for "cancel": the command to end
	Text    string // role, endpoint or topic
	N       int
	Options sockettest.Options
	Frames  [][]byte
}

// An answer tells how a command went.
type answer struct {
	ID       uint64
	Text     string
	Frames   [][]byte
	Err      string // "" if all went well
	Canceled bool   // the error is that the command was cancelled
}

// A child carries out commands.
type child struct {
	side sockettest.Side

	writing sync.Mutex
	out     *bufio.Writer
	answers *gob.Encoder

	mu      sync.Mutex
	sockets map[uint64]sockettest.Socket
	cancels map[uint64]context.CancelFunc
}

// serve carries out commands until there are no more, and ends the process then.
func serve(name string, in io.Reader, out io.Writer) {
	side, ok := childSides()[name]
	if !ok {
		fmt.Fprintln(os.Stderr, "no such side:", name)
		os.Exit(1)
	}
	c := &child{
		side: side, out: bufio.NewWriter(out),
		sockets: make(map[uint64]sockettest.Socket), cancels: make(map[uint64]context.CancelFunc),
	}
	c.answers = gob.NewEncoder(c.out)
	commands := gob.NewDecoder(bufio.NewReader(in))
	for {
		var m command
		if err := commands.Decode(&m); err != nil {
			os.Exit(0) // also when the process that started this one has died
		}
		if m.Op == "cancel" {
			c.mu.Lock()
			if cancel := c.cancels[m.Of]; cancel != nil {
				cancel()
			}
			c.mu.Unlock()
			continue
		}
		ctx, cancel := context.WithCancel(context.Background())
		c.mu.Lock()
		c.cancels[m.ID] = cancel
		c.mu.Unlock()
		go func() {
			defer cancel()
			c.tell(m.ID, c.do(ctx, m))
		}()
	}
}

func (c *child) tell(id uint64, a answer) {
	a.ID = id
	c.mu.Lock()
	delete(c.cancels, id)
	c.mu.Unlock()
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := errors.Join(c.answers.Encode(a), c.out.Flush()); err != nil {
		os.Exit(1)
	}
}

func (c *child) do(ctx context.Context, m command) (a answer) {
	c.mu.Lock()
	s := c.sockets[m.Sock]
	c.mu.Unlock()
	var err error
	switch m.Op {
	case "new":
		s = c.side.New(childTB{}, m.Text, m.Options)
		c.mu.Lock()
		c.sockets[m.Sock] = s
		c.mu.Unlock()
	case "bind":
		a.Text, err = s.Bind(ctx, m.Text)
	case "unbind":
		err = s.Unbind(m.Text)
	case "connect":
		err = s.Connect(m.Text)
	case "disconnect":
		err = s.Disconnect(m.Text)
	case "send":
		err = s.Send(ctx, m.Frames)
	case "recv":
		a.Frames, err = s.Recv(ctx)
	case "subscribe":
		err = s.Subscribe(m.Text)
	case "unsubscribe":
		err = s.Unsubscribe(m.Text)
	case "peers":
		err = s.WaitPeers(ctx, m.N)
	case "close":
		err = errors.Join(ledger(s), s.Close(), ledger(s))
	default:
		err = errors.New("no such command: " + m.Op)
	}
	if err != nil {
		a.Err, a.Canceled = err.Error(), errors.Is(err, context.Canceled)
	}
	return a
}

// ledger checks what the suite cannot check from outside the process.
func ledger(s sockettest.Socket) error {
	if l, ok := s.(sockettest.Ledgered); ok {
		return l.Stats().Check()
	}
	return nil
}

// A childTB is what a Maker gets in a process where no test runs.
type childTB struct{ testing.TB }

func (childTB) Helper()                  {}
func (childTB) Context() context.Context { return context.Background() }
func (childTB) Fatalf(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	os.Exit(1)
}
