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
		if open, known := held(netip.MustParseAddrPort(far), netip.MustParseAddrPort("127.0.0.1:9")); open || known {
			t.Errorf("%s: open %v, known %v", name, open, known)
		}
	}
}
