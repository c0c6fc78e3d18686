package curve

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"slices"
	"strconv"
	"testing"

	"golang.org/x/crypto/nacl/secretbox"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// TestMessages: frames of all sizes and flags come out as they went in, each way, in the same memory; and what is on
// the wire is what nacl/secretbox makes of them.
func TestMessages(t *testing.T) {
	client, server := connected(t)
	for _, size := range []int{
		0, 1, 30, 31, 32, 33, 63, 64, 95, 96, 222, 223, 255, 256, 319, 1000, 4095, 65536, 1 << 20,
	} {
		for _, flags := range []byte{0, zmtp.FlagMore, zmtp.FlagCommand, zmtp.FlagCommand | zmtp.FlagMore} {
			if flags > 0 && size > 100 {
				break
			}
			for _, way := range []struct {
				text     string
				from, to *traffic
			}{{fromClient, client, server}, {fromServer, server, client}} {
				body := make([]byte, size)
				_, _ = rand.Read(body)
				kept := bytes.Clone(body)
				frame := way.from.Seal([]byte("ahead"), flags, body)
				if !bytes.Equal(body, kept) {
					t.Fatalf("%d bytes: Seal has changed the body", size)
				}
				sealed := inside(t, bytes.TrimPrefix(frame, []byte("ahead")))
				if len(sealed) != size+way.from.Overhead() {
					t.Fatalf("%d bytes: %d sealed", size, len(sealed))
				}
				if size > 200 && bytes.Contains(sealed, body[:32]) {
					t.Fatal("the body can be read")
				}
				received := bytes.Clone(sealed)
				gotFlags, got, err := way.to.Open(0, received)
				if err != nil || gotFlags != flags || !bytes.Equal(got, body) {
					t.Fatalf("%d bytes, flags %d: %d bytes, flags %d, %v", size, flags, len(got), gotFlags, err)
				}
				if size > 0 && &got[0] != &received[overhead] {
					t.Fatal("it was not opened in place")
				}
			}
		}
	}
}

// TestMessageIsABox: a MESSAGE holds what nacl/secretbox makes with the shared key and the nonce of RFC 26.
func TestMessageIsABox(t *testing.T) {
	var shared sharedKey
	_, _ = rand.Read(shared[:])
	body := make([]byte, 300)
	_, _ = rand.Read(body)
	for _, text := range []string{fromClient, fromServer} {
		for _, size := range []int{0, 1, 31, 32, 300} {
			d := newDirection(new([KeySize]byte), &shared, text)
			d.last = 1<<40 + 6
			got := make([]byte, overhead+size)
			d.seal(got, insideMore, body[:size])
			number := binary.BigEndian.AppendUint64(nil, 1<<40+7)
			want := slices.Concat([]byte("\x07MESSAGE"), number)
			want = secretbox.Seal(want, append([]byte{1}, body[:size]...), shortNonce(text, number), (*[KeySize]byte)(&shared))
			if !bytes.Equal(got, want) {
				t.Errorf("%s, %d bytes:\n got % x\nwant % x", text, size, got, want)
			}
		}
	}
}

// TestMessageTampered: a MESSAGE that was changed in any bit, cut at any length or made longer does not open, nor does
// one that came before, nor one's own.
func TestMessageTampered(t *testing.T) {
	client, server := connected(t)
	sealed := inside(t, client.Seal(nil, 0, []byte("a body that is longer than the first block of it")))
	refused := func(what string, b []byte) {
		t.Helper()
		state := server.in
		if _, plain, err := server.Open(0, b); plain != nil || !errors.Is(err, zmtp.ErrMalformed) {
			t.Fatalf("%s: opened as %q, %v", what, plain, err)
		}
		if server.in != state {
			t.Fatalf("%s: it has left its trace", what)
		}
	}
	for i := range len(sealed) * 8 {
		b := bytes.Clone(sealed)
		b[i/8] ^= 1 << (i % 8)
		refused("a bit", b)
	}
	for n := range sealed {
		refused("cut", bytes.Clone(sealed[:n]))
		refused("begun late", bytes.Clone(sealed[n+1:]))
	}
	refused("longer", append(bytes.Clone(sealed), 0))
	refused("reflected", inside(t, server.Seal(nil, 0, []byte("ours"))))
	if _, _, err := server.Open(zmtp.FlagMore, bytes.Clone(sealed)); !errors.Is(err, zmtp.ErrMalformed) {
		t.Errorf("MORE outside of the box: %v", err)
	}
	if _, plain, err := server.Open(zmtp.FlagCommand, bytes.Clone(sealed)); err != nil || len(plain) != 48 {
		t.Errorf("a command as RFC 26 has it: %q, %v", plain, err)
	}
}

// TestMessageFlags: of the flags inside, those that nobody has given a meaning are refused, as RFC 26 asks.
func TestMessageFlags(t *testing.T) {
	client, server := connected(t)
	for flags := range 256 {
		b := make([]byte, overhead)
		client.out.seal(b, byte(flags), nil)
		_, _, err := server.Open(0, b)
		if known := flags <= 3; errors.Is(err, zmtp.ErrMalformed) == known || known != (err == nil) {
			t.Errorf("flags %#02x: %v", flags, err)
		}
	}
}

// TestCVE_2014_7203: a message that comes again, or behind a later one, is refused: numbers rise strictly. A gap is not
// for us to find: whatever is left out leaves a hole in a stream that nobody but the peers can write.
func TestCVE_2014_7203(t *testing.T) {
	client, server := connected(t)
	var sealed [][]byte
	for range 5 {
		sealed = append(sealed, inside(t, client.Seal(nil, 0, []byte("pay 1 €"))))
	}
	for _, step := range []struct {
		n  int
		ok bool
	}{{0, true}, {0, false}, {2, true}, {1, false}, {2, false}, {4, true}, {3, false}, {0, false}} {
		_, _, err := server.Open(0, bytes.Clone(sealed[step.n]))
		if step.ok != (err == nil) || err != nil && !errors.Is(err, zmtp.ErrMalformed) {
			t.Errorf("message %d: %v", step.n, err)
		}
	}
}

// TestMessageNumbersGoOn: the first message has a higher number than the last command of the handshake, either way.
func TestMessageNumbersGoOn(t *testing.T) {
	client, server := connected(t)
	if client.out.last != 2 || server.in.last != 2 || server.out.last != 1 || client.in.last != 1 {
		t.Errorf("client %d out, %d in; server %d out, %d in", client.out.last, client.in.last, server.out.last,
			server.in.last)
	}
	for _, way := range [][2]*traffic{{client, server}, {server, client}} {
		from, to := way[0], way[1]
		from.out.last-- // says the last number again
		if _, _, err := to.Open(0, inside(t, from.Seal(nil, 0, nil))); !errors.Is(err, zmtp.ErrMalformed) {
			t.Errorf("a number of the handshake: %v", err)
		}
	}
}

// TestMessageNumbersEnd: numbers do not begin anew.
func TestMessageNumbersEnd(t *testing.T) {
	client, server := connected(t)
	client.out.last = 1<<64 - 2
	if _, _, err := server.Open(0, inside(t, client.Seal(nil, 0, nil))); err != nil {
		t.Error(err)
	}
	defer func() {
		if recover() == nil {
			t.Error("a number was used twice")
		}
	}()
	client.Seal(nil, 0, nil)
}

// TestMessageAllocates: sealing and opening do not allocate once the buffers are there.
func TestMessageAllocates(t *testing.T) {
	client, server := connected(t)
	for _, size := range []int{0, 20, 200, 70_000} {
		body := make([]byte, size)
		buf := make([]byte, 0, size+100)
		got := testing.AllocsPerRun(200, func() {
			buf = client.Seal(buf[:0], 0, body)
			n := len(buf) - size - overhead
			if _, _, err := server.Open(0, buf[n:]); err != nil {
				t.Fatal(err)
			}
		})
		if got > 0.1 {
			t.Errorf("%d bytes: %v allocations a message; want at most 0.1", size, got)
		}
	}
}

// TestSessionKeysAreWiped: the keys of a connection that is out of use do not stay in memory.
func TestSessionKeysAreWiped(t *testing.T) {
	client, _ := connected(t)
	keys := client.keys
	if keys.client == [KeySize]byte{} || keys.server == [KeySize]byte{} {
		t.Fatal("there are no keys")
	}
	runtime.KeepAlive(client)
	for !keys.wiped.Load() {
		runtime.GC()
		runtime.Gosched()
	}
	if keys.client != [KeySize]byte{} || keys.server != [KeySize]byte{} {
		t.Error("they are still there")
	}
}

// TestReaderOpens: a zmtp.Reader gives out what went through a Sealer, however it is cut.
func TestReaderOpens(t *testing.T) {
	client, server := connected(t)
	big := bytes.Repeat([]byte("big "), 50_000)
	var wire []byte
	for _, f := range []struct {
		flags byte
		body  []byte
	}{
		{zmtp.FlagMore, nil},
		{zmtp.FlagMore, []byte("two")},
		{0, big},
		{zmtp.FlagCommand, []byte("\x04PING\x00\x00")},
		{0, []byte("one")},
	} {
		wire = client.Seal(wire, f.flags, f.body)
	}
	r := zmtp.NewReader(bytes.NewReader(wire), nil, zmtp.Limits{})
	r.SetOpener(server)
	var got [][][]byte
	var commands []string
	for {
		msgs, err := r.Next(zmtp.HandlerFunc(func(name string, _ []byte, _ int) error {
			commands = append(commands, name)
			return nil
		}))
		got = append(got, msgs...)
		if err != nil {
			if !errors.Is(err, io.EOF) {
				t.Error(err)
			}
			break
		}
	}
	if len(got) != 2 || len(got[0]) != 3 || !bytes.Equal(got[0][2], big) || string(got[1][0]) != "one" ||
		!slices.Equal(commands, []string{"PING"}) {
		t.Errorf("%d messages, commands %q", len(got), commands)
	}
}

func BenchmarkSeal(b *testing.B) {
	client, _ := connected(b)
	for _, size := range []int{64, 1 << 10, 64 << 10} {
		b.Run(bytesName(size), func(b *testing.B) {
			body := make([]byte, size)
			var buf []byte
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				buf = client.Seal(buf[:0], 0, body)
			}
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	client, server := connected(b)
	for _, size := range []int{64, 1 << 10, 64 << 10} {
		b.Run(bytesName(size), func(b *testing.B) {
			sealed := inside(b, client.Seal(nil, 0, make([]byte, size)))
			buf := make([]byte, len(sealed))
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				copy(buf, sealed)
				server.in.last = 0
				if _, _, err := server.Open(0, buf); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func bytesName(n int) string { return strconv.Itoa(n) + "B" }
