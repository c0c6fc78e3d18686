package child

import (
	"strings"
	"sync"
)

// A head keeps the first bytes that are written to it, which say more of a panic or a race than the last.
type head struct {
	mu sync.Mutex
	b  strings.Builder
}

const headSize = 16 << 10

func (t *head) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if room := headSize - t.b.Len(); room > 0 {
		t.b.Write(b[:min(room, len(b))])
	}
	return len(b), nil
}

func (t *head) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}
