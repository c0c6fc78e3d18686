package mdns

import (
	"testing"
	"time"
)

func TestNilOptionsAreIgnored(t *testing.T) {
	b := New(nil, WithRefresh(7*time.Second), nil)
	if got := b.config.refresh; got != 7*time.Second {
		t.Errorf("refresh is %v", got)
	}
}
