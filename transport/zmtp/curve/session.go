package curve

import (
	"runtime"
	"sync/atomic"
)

// sessionKeys are the keys of a connection's messages. They are apart from what uses them, which lives as long as the
// connection, so that they can be wiped when the garbage collector has found that out of use.
type sessionKeys struct {
	client, server [KeySize]byte
	wiped          atomic.Bool // for the test
}

func (k *sessionKeys) wipe() {
	clear(k.client[:])
	clear(k.server[:])
	k.wiped.Store(true)
}

// begin is the end of the handshake: the keys of what follows come from what C' and S' share, and numbers go on from
// those of the last commands each way.
func (t *traffic) begin(shared *sharedKey, asServer bool, lastIn, lastOut uint64) {
	keys := new(sessionKeys)
	t.keys = keys
	client := newDirection(&keys.client, shared, fromClient)
	server := newDirection(&keys.server, shared, fromServer)
	if t.in, t.out = server, client; asServer {
		t.in, t.out = client, server
	}
	t.in.last, t.out.last = lastIn, lastOut
	runtime.AddCleanup(t, (*sessionKeys).wipe, keys)
}
