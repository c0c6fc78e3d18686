package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime/pprof"
	"strings"
	"sync"
	"time"
)

// A worker is one process of a scenario. It has the sockets that the controller tells it to make, and says what they
// do.
type worker struct {
	mu    sync.Mutex // guards out, which is written a line at a time
	out   *json.Encoder
	calls sync.WaitGroup

	membersMu sync.Mutex
	members   map[key]*actor
}

// work is the main function of a worker: it obeys until its input ends.
func work(in io.Reader, out io.Writer) error {
	w := &worker{out: json.NewEncoder(out), members: make(map[key]*actor)}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			break
		}
		var c command
		if err := json.Unmarshal(line, &c); err != nil {
			return fmt.Errorf("soak: command: %w", err)
		}
		if c.Do == cmdOpen { // in order: what follows is about it
			w.answer(c, "", w.open(ctx, c))
			continue
		}
		w.calls.Go(func() {
			endpoint, err := w.obey(ctx, c)
			w.answer(c, endpoint, err)
		})
	}
	cancel()
	w.calls.Wait()
	for _, a := range w.members {
		a.close()
	}
	return nil
}

// say writes a report. When nobody reads any more the worker is about to be ended, too.
func (w *worker) say(r report) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.out.Encode(r); err != nil {
		os.Exit(1)
	}
}

func (w *worker) answer(c command, endpoint string, err error) {
	r := report{Says: saysAnswer, ID: c.ID, Key: c.Key, Endpoint: endpoint}
	if err != nil {
		r.Text = err.Error()
	}
	w.say(r)
}

func (w *worker) open(ctx context.Context, c command) error {
	a, err := newActor(ctx, w, c)
	if err != nil {
		return err
	}
	w.membersMu.Lock()
	defer w.membersMu.Unlock()
	w.members[c.Key] = a
	return nil
}

// member returns the member that a key names, nil if it is not here.
func (w *worker) member(k key) *actor {
	w.membersMu.Lock()
	defer w.membersMu.Unlock()
	return w.members[k]
}

// obey does what a command asks for and returns an endpoint, if the answer is one.
func (w *worker) obey(ctx context.Context, c command) (string, error) {
	switch c.Do {
	case cmdStack:
		var b strings.Builder
		err := pprof.Lookup("goroutine").WriteTo(&b, 2)
		return b.String(), err
	case cmdMix:
		return "", w.mix(ctx, c)
	}
	a := w.member(c.Key)
	if a == nil {
		return "", fmt.Errorf("soak: no member %s here", c.Key)
	}
	switch c.Do {
	case cmdBind:
		return bind(ctx, a.sock, c.Endpoint)
	case cmdUnbind:
		return "", a.sock.Unbind(c.Endpoint)
	case cmdConnect:
		return "", a.sock.Connect(c.Endpoint)
	case cmdLeave:
		return "", a.sock.Disconnect(c.Endpoint)
	case cmdStart:
		return "", a.start(ctx)
	case cmdQuiet:
		a.quiet()
		return "", nil
	case cmdPause:
		a.pause(c.For)
		return "", nil
	case cmdFlap:
		return "", a.flap(ctx, c.For)
	case cmdState:
		st := a.sock.Stats()
		w.say(report{Says: saysLedger, ID: c.ID, Key: c.Key, Ledger: ledgerOf(st.Ledger), Peers: len(st.Peers)})
		return "", nil
	case cmdEnd:
		return "", a.end(ctx, c)
	}
	return "", fmt.Errorf("soak: no command %q", c.Do)
}

// binder is what bind needs of a socket.
type binder interface {
	Bind(ctx context.Context, endpoint string) (string, error)
}

// bind tries for a while: the address may still be somebody's who is about to end.
func bind(ctx context.Context, s binder, endpoint string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		actual, err := s.Bind(ctx, endpoint)
		if err == nil {
			return actual, nil
		}
		select {
		case <-ctx.Done():
			return "", err
		case <-time.After(100 * time.Millisecond):
		}
	}
}
