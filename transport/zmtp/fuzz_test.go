package zmtp

import (
	"bytes"
	"io"
	"math"
	"testing"
)

// The seeds of all targets are files in testdata/fuzz.

func FuzzGreeting(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		// A prefix once refused stays refused, and ParseGreeting agrees.
		refused := false
		for k := range min(len(b), GreetingSize) + 1 {
			now := CheckGreetingPrefix(b[:k]) != nil
			if refused && !now {
				t.Fatalf("refused at %d bytes, but not at %d", k-1, k)
			}
			refused = now
		}
		g, err := ParseGreeting(b)
		if err != nil {
			if !oneSentinel(err) {
				t.Fatalf("error of no known kind, or of several: %v", err)
			}
			return
		}
		if refused || len(b) < GreetingSize || g.Version.Common().Major != 3 {
			t.Fatalf("accepted as %+v against its prefix, length or version", g)
		}
		again := AppendGreeting(nil, g)
		if back, err := ParseGreeting(again); err != nil || back != g {
			t.Fatalf("%+v became %+v, %v", g, back, err)
		}
		// All that carries a meaning is unchanged.
		if again[0] != b[0] || !bytes.Equal(again[atSignatureEnd:atAsServer], b[atSignatureEnd:atAsServer]) ||
			(again[atAsServer] != 0) != (b[atAsServer] != 0) {
			t.Fatalf("bytes differ\n got % x\nwant % x", again, b[:GreetingSize])
		}
	})
}

func FuzzHeader(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		h, n, err := ParseHeader(b)
		switch {
		case err != nil:
			if n != 0 || !oneSentinel(err) {
				t.Fatalf("n %d along with %v", n, err)
			}
			return
		case n == 0:
			if len(b) >= MaxHeaderSize {
				t.Fatalf("more bytes wanted than a header can have: % x", b)
			}
			return
		case n > len(b) || h.Size > math.MaxInt64:
			t.Fatalf("%+v of %d bytes out of % x", h, n, b)
		case h.Size > math.MaxInt:
			return // not to be sent by a machine of 32 bits
		}
		again := AppendHeader(nil, h.Flags, int(h.Size))
		if back, m, err := ParseHeader(again); err != nil || m != len(again) || back != h {
			t.Fatalf("%+v became %+v, %d, %v", h, back, m, err)
		}
		// The same bytes again, unless they were not in the shortest form.
		shortest := n == shortHeader || h.Size > maxShortBody
		if same := bytes.Equal(again[1:], b[1:n]) && again[0] == b[0]&(FlagMore|FlagLong|FlagCommand); same != shortest {
			t.Fatalf("% x became % x", b[:n], again)
		}
	})
}

func FuzzCommand(f *testing.F) {
	f.Fuzz(func(t *testing.T, body []byte) {
		if topic, subscribe, ok := ParseSubscription(body); ok {
			again := AppendCancel(nil, v30, topic)
			if subscribe {
				again = AppendSubscribe(nil, v30, topic)
			}
			wantBytes(t, again, join(AppendHeader(nil, 0, len(body)), body))
		}
		name, data, err := ParseCommand(body)
		if err != nil {
			if !oneSentinel(err) {
				t.Fatalf("error of no known kind: %v", err)
			}
			return
		}
		frame := join(AppendHeader(nil, FlagCommand, len(body)), body)
		wantBytes(t, AppendCommand(nil, name, data), frame)
		switch name {
		case CommandReady:
			if m, err := ParseMetadata(data); err == nil {
				wantBytes(t, AppendReady(nil, m), frame)
			}
		case CommandError:
			if reason, err := ParseError(data); err == nil {
				wantBytes(t, AppendError(nil, reason), frame)
			}
		case CommandSubscribe:
			wantBytes(t, AppendSubscribe(nil, v31, data), frame)
		case CommandCancel:
			wantBytes(t, AppendCancel(nil, v31, data), frame)
		case CommandPing:
			ttl, context, err := ParsePing(data)
			if err != nil {
				return
			}
			again := AppendPing(nil, ttl, context)
			if ttl <= MaxPingTTL && len(data) <= ttlSize+MaxPingContext {
				wantBytes(t, again, frame)
			}
			_, data, err := ParseCommand(again[shortHeader:])
			wantError(t, err, nil)
			gotTTL, gotContext, err := ParsePing(data)
			if err != nil || gotTTL != min(ttl, MaxPingTTL) || !bytes.Equal(gotContext, context) {
				t.Fatalf("%v %q became %v %q, %v", ttl, context, gotTTL, gotContext, err)
			}
		case CommandPong:
			if context := ParsePong(data); len(data) <= MaxPingContext {
				wantBytes(t, AppendPong(nil, context), frame)
			}
		}
	})
}

func FuzzMetadata(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseMetadata(b)
		if err != nil {
			if m != nil || !oneSentinel(err) {
				t.Fatalf("%v along with %v", m, err)
			}
			return
		}
		want := bytes.Clone(b)
		clear(b) // the results must be copies
		wantBytes(t, AppendMetadata(nil, m), want)
		for i, p := range m {
			v, ok := m.Get(p.Name)
			if !ok {
				t.Fatalf("property %d, %q, is not found", i, p.Name)
			}
			if i == 0 && !bytes.Equal(v, p.Value) {
				t.Fatalf("the first property is not the one found: %q", v)
			}
		}
	})
}

func FuzzHandshake(f *testing.F) {
	f.Fuzz(func(t *testing.T, in []byte, piece, local byte) {
		size := max(int(piece), 1)
		cfg := Config{SocketType: allTypes[int(local)%len(allTypes)]}
		r := bytes.NewReader(in)
		peer := &script{in: pieces{r, size}}
		s, err := Handshake(t.Context(), peer, cfg)
		// However the bytes come, the verdict is the same.
		whole, errWhole := handshakeWith(t, in, 1<<16, cfg)
		if (err == nil) != (errWhole == nil) {
			t.Fatalf("in pieces of %d: %v; whole: %v", size, err, errWhole)
		}
		if err != nil {
			if s != nil {
				t.Fatalf("session %+v along with %v", s, err)
			}
			return
		}
		if s.Version != whole.Version || s.PeerType != whole.PeerType || !bytes.Equal(s.Identity, whole.Identity) ||
			!sameMetadata(s.Metadata, whole.Metadata) {
			t.Fatalf("in pieces of %d: %+v; whole: %+v", size, s, whole)
		}
		if !cfg.SocketType.Accepts(s.PeerType) || len(s.Identity) > MaxIdentity || len(s.Rest) > readSize {
			t.Fatalf("accepted %+v", s)
		}
		// Greeting, READY, rest: nothing is lost or made up.
		left, _ := io.ReadAll(r)
		rest := join(s.Rest, left)
		frame := in[GreetingSize : len(in)-len(rest)]
		if !bytes.HasSuffix(in, rest) {
			t.Fatalf("rest % x is not the end of the input", rest)
		}
		h, n, err := ParseHeader(frame)
		if err != nil || h.Size != uint64(len(frame)-n) {
			t.Fatalf("READY was not one frame: % x", frame)
		}
		ready := AppendReady(nil, s.Metadata)
		wantBytes(t, ready[len(AppendHeader(nil, 0, len(frame)-n)):], frame[n:])
		// We are what we accept: a peer of ours takes our bytes.
		if back, err := handshakeWith(t, peer.out, size, Config{SocketType: s.PeerType}); err != nil ||
			back.PeerType != cfg.SocketType {
			t.Fatalf("our own bytes give %+v, %v", back, err)
		}
	})
}
