package proxy

import (
	"testing"

	"github.com/yodel-mq/yodel/socket"
)

// TestEnvelopesAreBounded: however many there are, so many are known at most, and the last half of them for sure. Those
// of a peer that has gone are not known any more.
func TestEnvelopesAreBounded(t *testing.T) {
	const most = 8
	one, other := new(socket.Peer), new(socket.Peer)
	for last := uint64(1); last < 50; last++ {
		b := newBackends(nil, most)
		for key := range last {
			b.assign(key, one)
			if n := len(b.young) + len(b.old); n > most {
				t.Fatalf("%d envelopes are known", n)
			}
		}
		for back := uint64(1); back <= min(last, most/2); back++ {
			if b.whose(last-back) != one {
				t.Fatalf("of %d, the last but %d is not known", last, back-1)
			}
		}
		b.assign(last, other)
		b.remove(one)
		if n := len(b.young) + len(b.old); n != 1 || b.whose(last) != other {
			t.Fatalf("%d envelopes are known of a peer that has one", n)
		}
	}
}

// TestEnvelopeInUseStays: an envelope is not forgotten for others that have come since, if it is used.
func TestEnvelopeInUseStays(t *testing.T) {
	b := newBackends(nil, 4)
	busy, other := new(socket.Peer), new(socket.Peer)
	b.assign(0, busy)
	for key := uint64(1); key < 100; key++ {
		if b.assign(key, other); b.whose(0) != busy {
			t.Fatalf("it is forgotten after %d others", key)
		}
	}
}

// TestEnvelopesDiffer: where one frame ends and the next begins counts.
func TestEnvelopesDiffer(t *testing.T) {
	b := newBackends(nil, 1)
	frames := func(all ...string) (f [][]byte) { return socket.Text(all...).Frames }
	one, same := b.key(frames("ab", "")), b.key(frames("ab", ""))
	if one != same || one == b.key(frames("a", "b", "")) {
		t.Error("two envelopes are taken for one, or one for two")
	}
}
