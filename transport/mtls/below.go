package mtls

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// A below is what crypto/tls takes for the network. During the handshake it is; afterwards what is written waits in
// memory for whoever writes to the connection.
type below struct {
	net.Conn
	ended atomic.Bool // the end of the stream was read

	mu      sync.Mutex
	held    bool    // what is written waits
	roomy   bool    // for a batch
	pending *[]byte // encrypted; nil if there is nothing
}

const (
	recordMost   = 16 << 10 // bytes of plain text in a record (RFC 8446, section 5.1)
	recordExtra  = 5 + 1 + 16
	batchRecords = 8 // that are encrypted before they are written: by one call, and from the cache
	batchSize    = batchRecords * (recordMost + recordExtra)

	// maxUnasked is how much may wait that nobody has asked to be written: answers to a peer that wants new keys, of 27
	// bytes each. Who has this many of them is up to no good.
	maxUnasked = 4 << 10
)

var batches = sync.Pool{New: func() any {
	b := make([]byte, 0, batchSize+maxUnasked)
	return &b
}}

func release(b *[]byte) {
	if cap(*b) == batchSize+maxUnasked {
		*b = (*b)[:0]
		batches.Put(b)
	}
}

var errUnasked = errors.New("the peer asks for new keys over and over and takes none")

func (b *below) Read(p []byte) (int, error) {
	n, err := b.Conn.Read(p)
	if errors.Is(err, io.EOF) {
		b.ended.Store(true)
	}
	return n, err
}

func (b *below) Write(p []byte) (int, error) {
	b.mu.Lock()
	if !b.held {
		b.mu.Unlock()
		return b.Conn.Write(p)
	}
	defer b.mu.Unlock()
	if b.pending == nil {
		b.pending = new([]byte)
	}
	limit := maxUnasked
	if b.roomy {
		limit += batchSize
	}
	if len(*b.pending)+len(p) > limit {
		return 0, errUnasked
	}
	*b.pending = append(*b.pending, p...)
	return len(p), nil
}

// SetWriteDeadline does nothing: crypto/tls means it for a write of its own, which does not wait here.
func (b *below) SetWriteDeadline(time.Time) error { return nil }

func (b *below) hold() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held = true
}

// prepare makes room for a batch of records.
func (b *below) prepare() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.roomy {
		b.roomy = true
		roomy := batches.Get().(*[]byte)
		if b.pending != nil {
			*roomy = append(*roomy, *b.pending...)
		}
		b.pending = roomy
	}
}

func (b *below) size() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(*b.pending)
}

// take returns what waits, nil if that is nothing.
func (b *below) take() *[]byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.pending
	b.pending, b.roomy = nil, false
	if p != nil && len(*p) == 0 {
		release(p)
		p = nil
	}
	return p
}
