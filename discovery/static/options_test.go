package static

import (
	"testing"
	"time"
)

func TestNilOptionsAreIgnored(t *testing.T) {
	b := File("peers", nil, WithInterval(7*time.Second), nil)
	if b.config.interval != 7*time.Second {
		t.Errorf("interval is %v", b.config.interval)
	}
}
