package observe

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/socket"
)

// A pipes is a listener whose connections are pipes: nothing is buffered, so that a reader that does not read is felt
// at once, and time is that of synctest.
type pipes struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

func (*pipes) Addr() net.Addr { return &net.UnixAddr{Net: "unix", Name: "pipe"} }

// serveLive serves a registry in the bubble of the test, by a server that itself would end an answer after 2 s.
func serveLive(t *testing.T, r *Registry) *pipes {
	p := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
	srv := &http.Server{Handler: r.Handler(WithToken(testToken)), WriteTimeout: 2 * time.Second}
	go func() { _ = srv.Serve(p) }()
	t.Cleanup(func() { srv.Close() })
	return p
}

// A stream is one reader of live snapshots.
type stream struct {
	net.Conn
	*http.Response
	lines *bufio.Scanner
}

// open asks for a stream, and reads the head of the answer.
func (p *pipes) open(t *testing.T, method string) *stream {
	t.Helper()
	ours, theirs := net.Pipe()
	p.conns <- theirs
	t.Cleanup(func() { ours.Close() })
	const request = "%s /v1/live HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n"
	_, err := fmt.Fprintf(ours, request, method, testToken)
	must(t, err)
	answer, err := http.ReadResponse(bufio.NewReader(ours), &http.Request{Method: method})
	must(t, err)
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 1<<20)
	return &stream{ours, answer, lines}
}

// drain reads all there is.
func (s *stream) drain() { _, _ = io.Copy(io.Discard, s.Body) }

// next reads an event, and returns its id; "" at the end.
func (s *stream) next(t *testing.T) (id string, snapshot *Snapshot) {
	t.Helper()
	for s.lines.Scan() {
		name, value, _ := strings.Cut(s.lines.Text(), ": ")
		switch name {
		case "id":
			id = value
		case "event":
			if value != "snapshot" {
				t.Errorf("event %q", value)
			}
		case "data":
			var err error
			snapshot, err = Parse([]byte(value))
			must(t, err)
		case "":
			return id, snapshot
		}
	}
	return "", nil
}

func TestLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, s := New(), &fake{typ: "PULL", stats: socket.Stats{Ledger: balanced()}}
		r.Add("work", s)
		p, began := serveLive(t, r), time.Now()
		a, b := p.open(t, "GET"), p.open(t, "GET")
		if a.StatusCode != 200 || a.Header.Get("Content-Type") != "text/event-stream" {
			t.Fatalf("%s: %v", a.Status, a.Header)
		}
		for i := range 6 { // for longer than the server allows an answer to take
			for _, one := range []*stream{a, b} {
				id, snapshot := one.next(t)
				if id != fmt.Sprint(i+1) || snapshot.Sockets[0].Name != "work" {
					t.Errorf("event %q: %+v", id, snapshot)
				}
			}
			if took := time.Since(began); took != time.Duration(i)*time.Second {
				t.Errorf("event %d came after %v", i+1, took)
			}
		}
		if n := s.asked.Load(); n != 6 {
			t.Errorf("6 snapshots for two readers asked the socket %d times", n)
		}
		must(t, r.Close())
		for _, one := range []*stream{a, b} {
			if id, _ := one.next(t); id != "" || one.lines.Err() != nil {
				t.Errorf("after Close: event %q, %v", id, one.lines.Err())
			}
		}
		must(t, r.Close())
		if c := p.open(t, "GET"); c.StatusCode != 503 {
			t.Errorf("a stream after Close: %s", c.Status)
		}
		if c := p.open(t, "HEAD"); c.StatusCode != 503 {
			t.Errorf("HEAD after Close: %s", c.Status)
		}
		if r.streams.Load() != 0 {
			t.Error("streams are left")
		}
	})
}

func TestNinthStreamIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New()
		p := serveLive(t, r)
		var open []*stream
		for range maxStreams {
			s := p.open(t, "GET")
			if s.StatusCode != 200 {
				t.Fatalf("stream %d: %s", len(open)+1, s.Status)
			}
			open = append(open, s)
			go s.drain()
		}
		ninth := p.open(t, "GET")
		text, err := io.ReadAll(ninth.Body)
		must(t, err)
		if ninth.StatusCode != 503 || ninth.Header.Get("Retry-After") == "" || !bytes.HasPrefix(text, []byte("8 live ")) {
			t.Errorf("the ninth: %s: %s", ninth.Status, text)
		}
		if head := p.open(t, "HEAD"); head.StatusCode != 503 {
			t.Errorf("HEAD of the ninth: %s", head.Status)
		}
		open[0].Conn.Close()
		time.Sleep(2 * liveEvery)
		synctest.Wait()
		again := p.open(t, "GET")
		if again.StatusCode != 200 {
			t.Errorf("after one has gone: %s", again.Status)
		}
		go again.drain()
		must(t, r.Close())
	})
}

// A reader that does not read is cut off after 5 s, and holds up nobody meanwhile.
func TestSlowReaderIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New()
		p := serveLive(t, r)
		slow, fast := p.open(t, "GET"), p.open(t, "GET")
		slow.next(t)
		for i := range 10 {
			if id, _ := fast.next(t); id != fmt.Sprint(i+1) {
				t.Fatalf("event %q, want %d", id, i+1)
			}
			synctest.Wait()
			want := int64(2)
			if i >= 7 { // it took what came at the beginning; of what came after a second it took nothing until 6 s
				want = 1
			}
			if n := r.streams.Load(); i != 6 && n != want {
				t.Errorf("after %d s there are %d streams, want %d", i, n, want)
			}
		}
		must(t, r.Close())
		if id, _ := fast.next(t); id != "" {
			t.Errorf("after Close: %q", id)
		}
	})
}

// HEAD has the head and no stream; and where an answer cannot be cut off there are none.
func TestNoStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New()
		p := serveLive(t, r)
		if s := p.open(t, "HEAD"); s.StatusCode != 200 || s.Header.Get("Content-Type") != "text/event-stream" {
			t.Errorf("%s: %v", s.Status, s.Header)
		}
		synctest.Wait()
		if n := r.streams.Load(); n != 0 {
			t.Errorf("%d streams", n)
		}
	})
	w := answered(New().Handler(), ask("/v1/live"))
	if w.Code != 500 || !strings.Contains(w.Body.String(), "Unwrap") {
		t.Errorf("%d: %s", w.Code, w.Body)
	}
}

// What cannot be written as JSON is a failure of that answer only.
func TestNoJSON(t *testing.T) {
	r := New()
	r.AddNode(inspected{NodeState{Known: []KnownNode{{Age: inf()}}}})
	if w := answered(r.Handler(), ask("/v1/snapshot")); w.Code != 500 || json.Valid(w.Body.Bytes()) {
		t.Errorf("%d: %s", w.Code, w.Body)
	}
	if w := answered(r.Handler(), ask("/metrics")); w.Code != 200 {
		t.Errorf("metrics: %d", w.Code)
	}
}
