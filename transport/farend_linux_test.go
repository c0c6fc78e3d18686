package transport

import (
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
)

// Whether a process holds the far end is known at once, also while the end of its stream waits behind what has not
// been read.
func TestFarOpen(t *testing.T) {
	for name, at := range map[string]struct {
		tr      Transport
		address string
	}{
		"tcp":                {NewTCP(), "127.0.0.1:*"},
		"tcp, IPv6":          {NewTCP(), "[::1]:*"},
		"tcp, all addresses": {NewTCP(), "*:*"},
		"ipc":                {NewIPC(), "*"},
	} {
		t.Run(name, func(t *testing.T) {
			if strings.Contains(name, "IPv6") {
				needIPv6(t)
			}
			near, far := pair(t, at.tr, at.address)
			for side, c := range map[string]net.Conn{"near": near, "far": far} {
				if open, known := c.(FarInspector).FarOpen(); !open || !known {
					t.Fatalf("the %s end sees the other as open %v, known %v", side, open, known)
				}
			}
			fill := far.(TryWriter)
			for b := make([]byte, 64<<10); ; {
				if n, err := fill.TryWrite(b); err != nil {
					t.Fatal(err)
				} else if n < len(b) {
					break
				}
			}
			if err := far.(CloseWriter).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			open, known := near.(FarInspector).FarOpen()
			if tcp := name != "ipc"; open != tcp || !known { // an ipc peer that has ended is as good as closed
				t.Errorf("a half-closed end is open %v, known %v", open, known)
			}
			far.Close()
			if open, known := near.(FarInspector).FarOpen(); open || !known {
				t.Errorf("a closed end is open %v, known %v", open, known)
			}
			if ended, _ := near.(Inspector).Ended(); ended != (name == "ipc") {
				t.Errorf("the end of its stream has come: %v", ended)
			}
			if _, err := io.Copy(io.Discard, near); err != nil {
				t.Fatal(err)
			}
			if open, known := near.(FarInspector).FarOpen(); open || !known {
				t.Errorf("what is left of a closed end is open %v, known %v", open, known)
			}
		})
	}
}

// Of an end that is not on this host nothing is known, and who listens at its address is not taken for it.
func TestFarOpenElsewhere(t *testing.T) {
	l := listen(t, NewTCP(), "127.0.0.1:*")
	for name, far := range map[string]string{"another host": "192.0.2.1:9", "a listener": l.Address()} {
		if s, known := held(netip.MustParseAddrPort(far), netip.MustParseAddrPort("127.0.0.1:9")); s.open || known {
			t.Errorf("%s: open %v, known %v", name, s.open, known)
		}
	}
}

// What is written costs nothing of what comes from a far end that has more to write than there is room for, nor, over
// ipc, of any.
func TestHarmless(t *testing.T) {
	for name, at := range map[string]struct {
		tr      Transport
		address string
		always  bool
	}{"tcp": {NewTCP(), "127.0.0.1:*", false}, "ipc": {NewIPC(), "*", true}} {
		t.Run(name, func(t *testing.T) {
			near, far := pair(t, at.tr, at.address)
			look := near.(FarInspector)
			want := func(when string, want bool) {
				t.Helper()
				if is := look.Harmless(); is != want {
					t.Errorf("%s: %v, want %v", when, is, want)
				}
			}
			want("an idle end", at.always)
			if _, err := far.Write(make([]byte, 20_000)); err != nil {
				t.Fatal(err)
			}
			want("one that has written all it has", at.always)
			fill := far.(TryWriter)
			sent := 20_000
			for b := make([]byte, 64<<10); ; {
				n, err := fill.TryWrite(b)
				if err != nil {
					t.Fatal(err)
				}
				if sent += n; n < len(b) {
					break
				}
			}
			want("one that has more to write", true)
			if _, err := io.CopyN(io.Discard, near, int64(sent)); err != nil {
				t.Fatal(err)
			}
			want("one of which all was read", at.always)
			far.Close()
			want("a closed one", false)
		})
	}
}

// What a Unix socket was sent outlasts that its sender closes with bytes unread, and a write to that.
func TestIPCKeepsWhatAClosedEndHasSent(t *testing.T) {
	near, far := pair(t, NewIPC(), "*")
	const sent = 20_000
	if _, err := far.Write(make([]byte, sent)); err != nil {
		t.Fatal(err)
	}
	if _, err := near.Write([]byte("unread")); err != nil {
		t.Fatal(err)
	}
	far.Close()
	if _, err := near.Write([]byte("to nobody")); err == nil {
		t.Error("a write to a closed end went well")
	}
	if n, err := io.ReadFull(near, make([]byte, sent)); err != nil {
		t.Errorf("%d of %d bytes came: %v", n, sent, err)
	}
}
