package socket

import (
	"testing"
	"unsafe"
)

// Ten thousand idle peers are ten thousand links: one field more may cost each of them 128 bytes, for the allocator has
// no sizes between. What few links need is behind a pointer.
func TestLinkIsSmall(t *testing.T) {
	const most = 1408 // a size of the allocator's
	if n := unsafe.Sizeof(link{}); n > most {
		t.Errorf("a link takes %d bytes, want at most %d", n, most)
	}
}
