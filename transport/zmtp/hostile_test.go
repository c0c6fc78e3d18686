package zmtp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"testing"
)

// peerBytes is a whole good peer, to be damaged.
var peerBytes = join(greetingNull, readyDealer)

// handshakeWith runs a handshake against fixed bytes and checks what must hold
// for any bytes: a session or an error, never both, and an error of a known kind.
func handshakeWith(t *testing.T, in []byte, pieceSize int, cfg Config) (*Session, error) {
	t.Helper()
	s, err := Handshake(t.Context(), &script{in: pieces{bytes.NewReader(in), pieceSize}}, cfg)
	switch {
	case (s == nil) != (err != nil):
		t.Fatalf("session %+v with error %v", s, err)
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !oneSentinel(err):
		t.Fatalf("error of no known kind, or of several: %v", err)
	}
	return s, err
}

func TestHostileTruncations(t *testing.T) {
	for k := range len(peerBytes) {
		for _, size := range []int{1 << 16, 1} {
			if _, err := handshakeWith(t, peerBytes[:k], size,
				Config{SocketType: Router}); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%d bytes in pieces of %d: %v; want an unexpected end", k, size, err)
			}
		}
	}
}

func TestHostileBitFlips(t *testing.T) {
	accepted := 0
	for bit := range 8 * len(peerBytes) {
		b := bytes.Clone(peerBytes)
		b[bit/8] ^= 1 << (bit % 8)
		whole, errWhole := handshakeWith(t, b, 1<<16, Config{SocketType: Router})
		single, errSingle := handshakeWith(t, b, 1, Config{SocketType: Router})
		if (errWhole == nil) != (errSingle == nil) {
			t.Errorf("bit %d: the verdict depends on how the bytes come: %v, %v", bit, errWhole, errSingle)
		}
		if errWhole == nil && (whole.PeerType != Dealer || single.PeerType != Dealer) {
			t.Errorf("bit %d: a session with %q", bit, whole.PeerType)
		}
		if errWhole == nil {
			accepted++
		}
		// The frame and command parsers see the same damage without the handshake's checks before them.
		if h, n, err := ParseHeader(b[GreetingSize:]); err == nil && n > 0 {
			body := b[GreetingSize+n:]
			if h.Size < uint64(len(body)) {
				body = body[:h.Size]
			}
			if _, data, err := ParseCommand(body); err == nil {
				_, _ = ParseMetadata(data)
			}
		}
	}
	// Padding (8 bytes), as-server and filler (32) are free; so are all bits of the
	// minor version, and those of names, whose case or meaning does not matter here.
	if accepted < 8*(8+1+31+1) {
		t.Errorf("%d flips accepted; want those of all bytes without a meaning", accepted)
	}
}

// TestHostileSizes: a claim costs no memory, whatever it says.
func TestHostileSizes(t *testing.T) {
	for _, tt := range []struct {
		name string
		tail []byte
		max  int
	}{
		{"frame of 2^64-1", wire("06 FF FF FF FF FF FF FF FF"), 0},
		{"frame of 2^63-1", wire("06 7F FF FF FF FF FF FF FF"), 0},
		{"frame of 2^63-1 with as high a limit", wire("06 7F FF FF FF FF FF FF FF 05 'READY'"), int(^uint(0) >> 1)},
		{"frame of 1 GiB within the limit", wire("06 00 00 00 00 40 00 00 00 05 'READY'"), 1 << 30},
		{"value of 2^32-1", wire("04 0C 05 'READY' 01 'A' FF FF FF FF"), 0},
		{"value of 2^31", wire("04 0C 05 'READY' 01 'A' 80 00 00 00"), 0},
		{"name of 255", wire("04 08 05 'READY' FF 'A'"), 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := join(greetingNull, tt.tail)
			const runs = 50
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for range runs {
				if _, err := handshakeWith(t, in, 1<<16, Config{SocketType: Router, MaxMetadata: tt.max}); err == nil {
					t.Fatal("accepted")
				}
			}
			runtime.ReadMemStats(&after)
			if each := (after.TotalAlloc - before.TotalAlloc) / runs; each > 16<<10 {
				t.Errorf("%d bytes allocated for a claim; want a few KiB", each)
			}
		})
	}
}

// TestHostileTails puts every single byte and some unlucky runs where each parser
// starts. They may say anything but must not panic.
func TestHostileTails(t *testing.T) {
	for first := range 256 {
		t.Run(fmt.Sprintf("%#02x", first), func(t *testing.T) {
			for _, fill := range []byte{0x00, 0x01, 0x7F, 0x80, 0xFF} {
				for n := range 12 {
					b := append([]byte{byte(first)}, bytes.Repeat([]byte{fill}, n)...)
					if h, n, err := ParseHeader(b); n > len(b) || err != nil && (n != 0 || h != Header{}) {
						t.Errorf("header of % x: %+v, %d, %v", b, h, n, err)
					}
					if name, data, err := ParseCommand(b); err == nil && 1+len(name)+len(data) != len(b) {
						t.Errorf("command % x: %q, %q", b, name, data)
					}
					if m, err := ParseMetadata(b); err == nil && m.size() != len(b) {
						t.Errorf("metadata % x: %v", b, m)
					}
					if reason, err := ParseError(b); err == nil && 1+len(reason) != len(b) {
						t.Errorf("ERROR % x: %q", b, reason)
					}
					if _, context, err := ParsePing(b); err == nil && len(context) > MaxPingContext {
						t.Errorf("PING % x: %q", b, context)
					}
					if _, err := ParseGreeting(b); err == nil {
						t.Errorf("greeting % x accepted", b)
					}
					_, _ = handshakeWith(t, b, 3, Config{SocketType: Router})
					_, _ = handshakeWith(t, join(greetingNull, b), 3, Config{SocketType: Router})
				}
			}
		})
	}
}
