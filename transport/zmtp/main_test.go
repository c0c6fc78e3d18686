package zmtp

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// wire makes bytes from words: pairs of hex digits, or text in quotes without
// spaces, as in `04 08 06 'CANCEL' 41`.
func wire(s string) []byte {
	var b []byte
	for w := range strings.FieldsSeq(s) {
		if text, ok := strings.CutPrefix(w, "'"); ok {
			b = append(b, strings.TrimSuffix(text, "'")...)
			continue
		}
		octets, err := hex.DecodeString(w)
		if err != nil {
			panic(fmt.Sprintf("wire %q: %v", w, err))
		}
		b = append(b, octets...)
	}
	return b
}

// join puts parts one after the other.
func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func wantBytes(t *testing.T, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Fatalf("bytes differ\n got % x\nwant % x", got, want)
	}
}

// wantError checks the sentinel and that the text holds all words. A nil sentinel
// wants no error.
func wantError(t *testing.T, err, sentinel error, words ...string) {
	t.Helper()
	if !errors.Is(err, sentinel) {
		t.Fatalf("error %v; want one that is %v", err, sentinel)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q does not mention %q", err, w)
		}
	}
	if err != nil && !strings.HasPrefix(err.Error(), "zmtp: ") {
		t.Errorf("error %q does not start with the package's name", err)
	}
}

// wantKeepsPrefix checks that an Append function only adds.
func wantKeepsPrefix(t *testing.T, appendTo func(b []byte) []byte) {
	t.Helper()
	got := appendTo([]byte("kept"))
	wantBytes(t, got, join([]byte("kept"), appendTo(nil)))
}

// script plays a peer: reads give in, then its end; writes are kept.
type script struct {
	in  io.Reader
	out []byte
}

func (s *script) Read(b []byte) (int, error) { return s.in.Read(b) }

func (s *script) Write(b []byte) (int, error) {
	s.out = append(s.out, b...)
	return len(b), nil
}

// pieces reads at most size bytes at a time.
type pieces struct {
	r    io.Reader
	size int
}

func (p pieces) Read(b []byte) (int, error) { return p.r.Read(b[:min(len(b), p.size)]) }

// Bytes of a peer, as they come from libzmq 4.3.
var (
	greetingNull = join(wire("FF 00 00 00 00 00 00 00 01 7F 03 01 'NULL'"), make([]byte, 16), make([]byte, 32))
	// A DEALER with an empty identity.
	readyDealer = wire("04 29 05 'READY' 0B 'Socket-Type' 00 00 00 06 'DEALER' 08 'Identity' 00 00 00 00")
)

// sentinels are all that may blame a peer.
var sentinels = []error{
	ErrNotZMTP, ErrVersion, ErrMechanism, ErrMalformed, ErrTooLarge, ErrSocketType, ErrRefused,
	ErrDenied,
}

// oneSentinel tells whether err wraps exactly one of them.
func oneSentinel(err error) bool {
	n := 0
	for _, s := range sentinels {
		if errors.Is(err, s) {
			n++
		}
	}
	return n == 1
}
