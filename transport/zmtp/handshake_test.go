package zmtp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// result is what one side of a handshake ended with.
type result struct {
	s   *Session
	err error
}

// shake runs a handshake of ours on one end of a pipe in the background.
func shake(c io.ReadWriter, cfg Config) <-chan result {
	done := make(chan result, 1)
	go func() {
		s, err := Handshake(context.Background(), c, cfg)
		done <- result{s, err}
	}()
	return done
}

// both runs two of ours against each other over an unbuffered pipe. An end that fails closes it, as it is to.
func both(t *testing.T, a, b Config) (ra, rb result) {
	t.Helper()
	ca, cb := net.Pipe()
	defer ca.Close()
	defer cb.Close()
	da, db := shake(ca, a), shake(cb, b)
	for range 2 {
		select {
		case ra = <-da:
			if ra.err != nil {
				ca.Close()
			}
		case rb = <-db:
			if rb.err != nil {
				cb.Close()
			}
		}
	}
	return ra, rb
}

func TestHandshakeOursWithOurs(t *testing.T) {
	for _, local := range allTypes {
		for _, peer := range local.partners() {
			t.Run(string(local)+" "+string(peer), func(t *testing.T) {
				ra, rb := both(t,
					Config{SocketType: local, Identity: []byte("a"), Properties: Metadata{{"X-Yodel", []byte{1}}}},
					Config{SocketType: peer, Identity: []byte("b")})
				wantError(t, ra.err, nil)
				wantError(t, rb.err, nil)
				if ra.s.PeerType != peer || rb.s.PeerType != local || ra.s.Version != v31 || rb.s.Version != v31 {
					t.Errorf("sessions %+v and %+v", ra.s, rb.s)
				}
				wantID := ""
				if local.sendsIdentity() {
					wantID = "a"
				}
				if string(rb.s.Identity) != wantID {
					t.Errorf("identity %q; want %q", rb.s.Identity, wantID)
				}
				if v, ok := rb.s.Metadata.Get("x-yodel"); !ok || !bytes.Equal(v, []byte{1}) {
					t.Errorf("extension lost in %v", rb.s.Metadata)
				}
				if ra.s.Rest != nil || rb.s.Rest != nil {
					t.Errorf("bytes from nowhere: %q, %q", ra.s.Rest, rb.s.Rest)
				}
			})
		}
	}
	t.Run("incompatible: both are told why", func(t *testing.T) {
		ra, rb := both(t, Config{SocketType: Pub}, Config{SocketType: Pull})
		wantError(t, ra.err, ErrSocketType, "peer's PULL", "our PUB")
		wantError(t, rb.err, ErrSocketType, "peer's PUB", "our PULL")
	})
}

// A connection lives for months: its session must not keep what only the handshake needed, about 1 KiB.
func TestSessionKeepsNothingOfTheHandshake(t *testing.T) {
	property := make([]byte, 1000)
	gone := make(chan struct{})
	runtime.AddCleanup(&property[0], func(done chan struct{}) { close(done) }, gone)
	ra, rb := both(t, Config{SocketType: Push, Properties: Metadata{{"X-Large", property}}}, Config{SocketType: Pull})
	wantError(t, ra.err, nil)
	wantError(t, rb.err, nil)
	property = nil
	for range 100 {
		runtime.GC()
		select {
		case <-gone:
			runtime.KeepAlive(ra.s)
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
	t.Error("the session still refers to the configuration of its handshake")
	runtime.KeepAlive(ra.s)
}

// Who asks first is known to the peer only once it has been admitted.
func TestHandshakeAdmit(t *testing.T) {
	refusal := errors.New("somebody else")
	for name, tc := range map[string]struct {
		peer      SocketType
		admit     error
		want      error // of the end that asks
		peerError error
	}{
		"admitted":   {peer: Pull},
		"refused":    {peer: Pull, admit: refusal, want: refusal, peerError: io.ErrUnexpectedEOF},
		"wrong type": {peer: Pub, want: ErrSocketType, peerError: ErrSocketType},
	} {
		t.Run(name, func(t *testing.T) {
			ca, cb := net.Pipe()
			defer cb.Close()
			peer := shake(cb, Config{SocketType: tc.peer, Identity: []byte("who")})
			asked := false
			s, err := Handshake(t.Context(), ca, Config{SocketType: Push, Admit: func(s *Session) error {
				asked = true
				if s.PeerType != tc.peer {
					t.Errorf("asked about a %v", s.PeerType)
				}
				return tc.admit
			}})
			ca.Close()
			wantError(t, err, tc.want)
			if (s != nil) != (tc.want == nil) || asked != (tc.want != ErrSocketType) {
				t.Errorf("session %v, asked: %t", s, asked)
			}
			wantError(t, (<-peer).err, tc.peerError)
		})
	}
	c := &script{in: bytes.NewReader(join(greetingNull, readyDealer))}
	_, err := Handshake(t.Context(), c, Config{SocketType: Router, Admit: func(*Session) error { return refusal }})
	wantError(t, err, refusal)
	if len(c.out) != GreetingSize {
		t.Errorf("%d bytes were sent, want the greeting alone", len(c.out))
	}
}

func TestHandshakeBytesSent(t *testing.T) {
	c := &script{in: bytes.NewReader(join(greetingNull, readyDealer))}
	if _, err := Handshake(t.Context(), c, Config{SocketType: Router}); err != nil {
		t.Fatal(err)
	}
	wantBytes(t, c.out, join(
		wire("FF 00 00 00 00 00 00 00 00 7F 03 01 'NULL'"), make([]byte, 48),
		wire("04 29 05 'READY' 0B 'Socket-Type' 00 00 00 06 'ROUTER' 08 'Identity' 00 00 00 00")))
}

func TestHandshakeAcceptsRawPeer(t *testing.T) {
	identity255 := bytes.Repeat([]byte("i"), 255)
	ready := func(m ...Property) []byte { return AppendReady(nil, m) }
	dealer := Property{PropertySocketType, []byte("DEALER")}
	for _, tt := range []struct {
		name     string
		greeting []byte
		ready    []byte
		version  Version
		identity string
	}{
		{"libzmq 4.3", greetingNull, readyDealer, v31, ""},
		{"libzmq 4.2", altered(map[int]byte{11: 0}), readyDealer, v30, ""},
		{"a later minor", altered(map[int]byte{11: 9}), readyDealer, v31, ""},
		{"a later major", altered(map[int]byte{10: 4, 11: 0}), readyDealer, v31, ""},
		{"as server", altered(map[int]byte{32: 1}), readyDealer, v31, ""},
		{"no identity", greetingNull, ready(dealer), v31, ""},
		{"identity", greetingNull, ready(dealer, Property{"Identity", []byte("me")}), v31, "me"},
		{"longest identity", greetingNull, ready(dealer, Property{"Identity", identity255}), v31, string(identity255)},
		{
			"names in lower case", greetingNull,
			ready(Property{"socket-type", []byte("DEALER")}, Property{"identity", []byte("me")}), v31, "me",
		},
		{
			"unknown properties", greetingNull,
			ready(Property{"X-Other", []byte("?")}, dealer, Property{"Resource", []byte("r")}), v31, "",
		},
		{"READY in the long form", greetingNull, join(wire("06 00 00 00 00 00 00 00 29"), readyDealer[2:]), v31, ""},
		{"reserved flag bits", greetingNull, join(wire("FC 29"), readyDealer[2:]), v31, ""},
	} {
		for _, piece := range []struct {
			name string
			size int
		}{{"whole", 1 << 16}, {"by sevens", 7}, {"one byte at a time", 1}} {
			t.Run(tt.name+", "+piece.name, func(t *testing.T) {
				traffic := wire("00 02 'hi' 01 01 'x'")
				in := bytes.NewReader(join(tt.greeting, tt.ready, traffic))
				s, err := Handshake(t.Context(), &script{in: pieces{in, piece.size}}, Config{SocketType: Router})
				if err != nil {
					t.Fatal(err)
				}
				if s.Version != tt.version || s.PeerType != Dealer || string(s.Identity) != tt.identity {
					t.Errorf("got %+v", s)
				}
				left, _ := io.ReadAll(in)
				wantBytes(t, join(s.Rest, left), traffic)
			})
		}
	}
}

func TestHandshakeRefusesRawPeer(t *testing.T) {
	for _, tt := range []struct {
		name  string
		in    []byte
		err   error
		words []string
	}{
		{"HTTP request", []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), ErrNotZMTP, []string{"HTTP request"}},
		{"TLS hello", wire("16 03 01 02 00 01"), ErrNotZMTP, []string{"TLS hello"}},
		{"ZMTP 1", wire("01 00"), ErrVersion, []string{"ZMTP 1.0"}},
		{"ZMTP 2", wire("FF 00 00 00 00 00 00 00 01 7F 01 05 00 00"), ErrVersion, []string{"ZMTP 2.0"}},
		{"CURVE", AppendGreeting(nil, Greeting{Mechanism: "CURVE"}), ErrMechanism, []string{"CURVE", "NULL"}},
		{"malformed greeting", altered(map[int]byte{12: 'n'}), ErrMalformed, nil},
		{"nothing", nil, io.ErrUnexpectedEOF, []string{"0 bytes", "greeting"}},
		{"half a greeting", greetingNull[:40], io.ErrUnexpectedEOF, []string{"40 bytes", "greeting"}},
		{
			"libzmq with CURVE hangs up on our NULL", greetingNull[:10], io.ErrUnexpectedEOF,
			[]string{"10 bytes", "another security mechanism"},
		},
		{"no READY", greetingNull, io.ErrUnexpectedEOF, []string{"READY"}},
		{"half a READY", join(greetingNull, readyDealer[:20]), io.ErrUnexpectedEOF, []string{"20 bytes", "READY"}},
		{"PING first", join(greetingNull, AppendPing(nil, 0, nil)), ErrMalformed, []string{`"PING"`, "READY"}},
		{"SUBSCRIBE first", join(greetingNull, AppendSubscribe(nil, v31, nil)), ErrMalformed, []string{`"SUBSCRIBE"`}},
		{"hostile command name", join(greetingNull, AppendCommand(nil, "A\nB")), ErrMalformed, []string{`"A\nB"`}},
		{
			"HELLO of PLAIN first", join(greetingNull, AppendCommand(nil, "HELLO", wire("01 'u' 01 'p'"))), ErrMalformed,
			[]string{`"HELLO"`},
		},
		{"a message first", join(greetingNull, wire("00 02 'hi'")), ErrMalformed, []string{"message"}},
		{"READY as a message", join(greetingNull, wire("00"), readyDealer[1:]), ErrMalformed, []string{"message"}},
		{"an empty command", join(greetingNull, wire("04 00")), ErrMalformed, []string{"empty body"}},
		{"a command without a name", join(greetingNull, wire("04 01 00")), ErrMalformed, nil},
		{"command name past the end", join(greetingNull, wire("04 06 06 'READY'")), ErrMalformed, nil},
		{"ERROR", join(greetingNull, AppendError(nil, "400")), ErrRefused, []string{`"400"`}},
		{"malformed ERROR", join(greetingNull, wire("04 08 05 'ERROR' 09 'x'")), ErrMalformed, []string{"ERROR"}},
		{"truncated property", join(greetingNull, wire("04 10 05 'READY' 0B 'Socket-Ty'")), ErrMalformed, nil},
		{"property of 2^32-1", join(greetingNull, wire("04 0C 05 'READY' 01 'A' FF FF FF FF")), ErrMalformed, nil},
		{"no metadata", join(greetingNull, AppendReady(nil, nil)), ErrSocketType, []string{"gave none", "our ROUTER"}},
		{
			"empty socket type", join(greetingNull, AppendReady(nil, Metadata{{"Socket-Type", nil}})), ErrSocketType,
			[]string{"gave none"},
		},
		{
			"unknown socket type", join(greetingNull, AppendReady(nil, Metadata{{"Socket-Type", []byte("STREAM")}})),
			ErrSocketType,
			[]string{"STREAM", "our ROUTER"},
		},
		{
			"incompatible socket type", join(greetingNull, AppendReady(nil, Metadata{{"Socket-Type", []byte("PUB")}})),
			ErrSocketType,
			[]string{"PUB", "our ROUTER"},
		},
		{
			"identity of 256",
			join(greetingNull, AppendReady(nil, Metadata{{"Socket-Type", []byte("DEALER")}, {"Identity", make([]byte, 256)}})),
			ErrMalformed,
			[]string{"256 bytes"},
		},
		{
			"size of 2^63-1", join(greetingNull, wire("06 7F FF FF FF FF FF FF FF")), ErrTooLarge,
			[]string{"9223372036854775807", "4096"},
		},
		{"size of 2^64-1", join(greetingNull, wire("06 FF FF FF FF FF FF FF FF")), ErrMalformed, nil},
		{"size of 2^50", join(greetingNull, wire("06 00 04 00 00 00 00 00 00")), ErrTooLarge, nil},
		{"one over the limit", join(greetingNull, wire("06 00 00 00 00 00 00 10 01")), ErrTooLarge, []string{"4097"}},
	} {
		for _, size := range []int{1 << 16, 1} {
			name := tt.name
			if size == 1 {
				name += ", one byte at a time"
				if tt.name == "HTTP request" || tt.name == "TLS hello" {
					tt.words = nil // one byte names nobody
				}
			}
			t.Run(name, func(t *testing.T) {
				s, err := Handshake(t.Context(), &script{in: pieces{bytes.NewReader(tt.in), size}}, Config{SocketType: Router})
				wantError(t, err, tt.err, tt.words...)
				if s != nil {
					t.Errorf("a session along with the error: %+v", s)
				}
				if !errors.Is(tt.err, io.ErrUnexpectedEOF) && !oneSentinel(err) {
					t.Errorf("%v wraps more than one sentinel", err)
				}
			})
		}
	}
}

func TestHandshakeErrorCarriesTheReason(t *testing.T) {
	_, err := Handshake(t.Context(), &script{in: bytes.NewReader(join(greetingNull, AppendError(nil, "no room")))},
		Config{SocketType: Sub})
	refused, ok := errors.AsType[*RefusedError](err)
	if !ok || refused.Reason != "no room" {
		t.Errorf("got %v; want the peer's reason", err)
	}
}

func TestHandshakeMaxMetadata(t *testing.T) {
	// of makes a READY whose body has exactly size bytes.
	of := func(size int) []byte {
		m := Metadata{{PropertySocketType, []byte("PUSH")}, {"X-Fill", nil}}
		m[1].Value = make([]byte, size-len("5READY")-m.size())
		return AppendReady(nil, m)
	}
	for _, tt := range []struct {
		name  string
		limit int
		size  int
		err   error
	}{
		{"default, at the limit", 0, 4096, nil},
		{"default, over it", 0, 4097, ErrTooLarge},
		{"negative is the default", -1, 4096, nil},
		{"small, at the limit", 64, 64, nil},
		{"small, over it", 64, 65, ErrTooLarge},
		{"large", 1 << 20, 1 << 20, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			traffic := bytes.Repeat([]byte{0, 0}, 4*readSize)
			in := bytes.NewReader(join(greetingNull, of(tt.size), traffic))
			s, err := Handshake(t.Context(), &script{in: in}, Config{SocketType: Pull, MaxMetadata: tt.limit})
			wantError(t, err, tt.err)
			if err == nil && len(s.Rest) > readSize {
				t.Errorf("%d bytes read past READY; want at most %d", len(s.Rest), readSize)
			}
		})
	}
}

func TestHandshakeConfig(t *testing.T) {
	for _, tt := range []struct {
		name  string
		cfg   Config
		words []string
	}{
		{"no socket type", Config{}, []string{"socket type"}},
		{"unknown socket type", Config{SocketType: "STREAM"}, []string{"STREAM"}},
		{"identity too long", Config{SocketType: Req, Identity: make([]byte, 256)}, []string{"256", "255"}},
		{"identity starts with zero", Config{SocketType: Req, Identity: []byte{0, 1}}, []string{"zero"}},
		{"property without a name", Config{SocketType: Req, Properties: Metadata{{"", nil}}}, []string{"property 0"}},
		{"second socket type", Config{SocketType: Req, Properties: Metadata{{"socket-type", nil}}}, []string{"Socket-Type"}},
		{"second identity", Config{SocketType: Req, Properties: Metadata{{"IDENTITY", nil}}}, []string{"Identity"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := &script{in: strings.NewReader("")}
			_, err := Handshake(t.Context(), c, tt.cfg)
			wantError(t, err, ErrConfig, tt.words...)
			if len(c.out) > 0 {
				t.Errorf("%d bytes were sent all the same", len(c.out))
			}
		})
	}
}

// TestHandshakeStagedPeer plays a libzmq that sends each part of its greeting only
// after it has seen the one before, and checks when our READY comes.
func TestHandshakeStagedPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, peer := net.Pipe()
		defer peer.Close()
		done := shake(ours, Config{SocketType: Router})
		read := func(n int) []byte {
			b := make([]byte, n)
			if _, err := io.ReadFull(peer, b); err != nil {
				t.Fatal(err)
			}
			return b
		}
		write := func(b []byte) {
			if _, err := peer.Write(b); err != nil {
				t.Fatal(err)
			}
		}
		write(greetingNull[:10])
		read(11)
		write(greetingNull[10:11])
		read(GreetingSize - 11)

		ready := make(chan error, 1)
		go func() {
			_, err := io.ReadFull(peer, make([]byte, len(readyDealer)))
			ready <- err
		}()
		synctest.Wait()
		if len(ready) != 0 {
			t.Error("READY was sent before the peer's greeting was whole")
		}
		write(greetingNull[11:])
		synctest.Wait()
		if len(ready) != 1 {
			t.Fatal("READY waits for something after the peer's greeting; the peer may be waiting too")
		}
		if err := <-ready; err != nil {
			t.Fatal(err)
		}
		write(readyDealer)
		if r := <-done; r.err != nil || r.s.PeerType != Dealer {
			t.Errorf("got %+v, %v", r.s, r.err)
		}
	})
}

// TestHandshakePeerWritesAllFirst plays a peer that reads nothing before its own
// bytes are out, over a pipe without a buffer.
func TestHandshakePeerWritesAllFirst(t *testing.T) {
	ours, peer := net.Pipe()
	defer peer.Close()
	done := shake(ours, Config{SocketType: Router})
	if _, err := peer.Write(join(greetingNull, readyDealer)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(peer, make([]byte, GreetingSize+len(readyDealer))); err != nil {
		t.Fatal(err)
	}
	if r := <-done; r.err != nil {
		t.Error(r.err)
	}
}

// noDeadline hides everything but the two methods of io.ReadWriter.
type noDeadline struct{ io.ReadWriter }

// TestHandshakeStuckPeer: the peer gives reason to refuse it, and never reads.
func TestHandshakeStuckPeer(t *testing.T) {
	t.Run("with deadlines it returns at once", func(t *testing.T) {
		ours, peer := net.Pipe()
		defer peer.Close()
		done := shake(ours, Config{SocketType: Router})
		if _, err := peer.Write([]byte("GET / HTTP/1.1\r\n")); err != nil {
			t.Fatal(err)
		}
		wantError(t, (<-done).err, ErrNotZMTP)
	})
	t.Run("from the header alone", func(t *testing.T) {
		ours, peer := net.Pipe()
		defer peer.Close()
		done := shake(ours, Config{SocketType: Router})
		if _, err := peer.Write(join(greetingNull, wire("06 00 00 00 00 40 00 00 00"))); err != nil {
			t.Fatal(err)
		}
		wantError(t, (<-done).err, ErrTooLarge)
	})
	for _, tt := range []struct {
		name string
		in   []byte
		wrap func(net.Conn) io.ReadWriter
		err  error
	}{
		{
			"without deadlines until closed", []byte("GET / HTTP/1.1\r\n"),
			func(c net.Conn) io.ReadWriter { return noDeadline{c} }, ErrNotZMTP,
		},
		{
			"incompatible until closed", join(greetingNull, AppendReady(nil, Metadata{{"Socket-Type", []byte("PUB")}})),
			func(c net.Conn) io.ReadWriter { return c }, ErrSocketType,
		},
		{
			"all well but our READY not read", join(greetingNull, readyDealer), func(c net.Conn) io.ReadWriter { return c },
			io.ErrClosedPipe,
		},
		{"silent", nil, func(c net.Conn) io.ReadWriter { return c }, io.ErrClosedPipe},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ours, peer := net.Pipe()
				defer peer.Close()
				done := shake(tt.wrap(ours), Config{SocketType: Router})
				if _, err := peer.Write(tt.in); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				select {
				case r := <-done:
					t.Fatalf("returned %+v, %v with its write still under way", r.s, r.err)
				default:
				}
				ours.Close()
				r := <-done
				wantError(t, r.err, tt.err)
				if r.s != nil {
					t.Errorf("a session over a closed connection: %+v", r.s)
				}
			})
		})
	}
}

// TestHandshakeConnErrors: what the connection says is passed on.
func TestHandshakeConnErrors(t *testing.T) {
	broken := errors.New("cable cut")
	t.Run("read", func(t *testing.T) {
		_, err := Handshake(t.Context(), &script{in: io.MultiReader(bytes.NewReader(greetingNull), failing{broken})},
			Config{SocketType: Router})
		wantError(t, err, broken, "read READY")
	})
	t.Run("write", func(t *testing.T) {
		rw := struct {
			io.Reader
			io.Writer
		}{bytes.NewReader(join(greetingNull, readyDealer)), failing{broken}}
		_, err := Handshake(t.Context(), rw, Config{SocketType: Router})
		wantError(t, err, broken, "write")
	})
	t.Run("reads that give nothing", func(t *testing.T) {
		_, err := Handshake(t.Context(), &script{in: failing{nil}}, Config{SocketType: Router})
		wantError(t, err, io.ErrNoProgress)
	})
	t.Run("the end comes with the last bytes", func(t *testing.T) {
		in := &lastWithEOF{join(greetingNull, readyDealer)}
		if _, err := Handshake(t.Context(), &script{in: in}, Config{SocketType: Router}); err != nil {
			t.Error(err)
		}
	})
}

// failing gives no bytes and always the same error.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error)  { return 0, f.err }
func (f failing) Write([]byte) (int, error) { return 0, f.err }

// lastWithEOF returns io.EOF along with the last bytes, as a Reader may.
type lastWithEOF struct{ b []byte }

func (l *lastWithEOF) Read(b []byte) (int, error) {
	n := copy(b, l.b)
	if l.b = l.b[n:]; len(l.b) == 0 {
		return n, io.EOF
	}
	return n, nil
}

// A client of TLS is refused, but gets our greeting whole, by which it knows whom it has met.
func TestHandshakeAnswersTLS(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	go func() {
		defer ours.Close()
		_, err := Handshake(t.Context(), ours, Config{SocketType: Pull})
		if !errors.Is(err, ErrNotZMTP) {
			t.Errorf("got %v", err)
		}
	}()
	_, err := theirs.Write([]byte("\x16\x03\x01\x02\x00\x01"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(theirs)
	if _, bad := ParseGreeting(b); bad != nil || err != nil {
		t.Errorf("got %q, %v", b, err)
	}
}
