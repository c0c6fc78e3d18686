package mdns

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/discovery"
)

func TestNilOptionsAreIgnored(t *testing.T) {
	b := New(nil, WithRefresh(7*time.Second), nil)
	if got := b.config.refresh; got != 7*time.Second {
		t.Errorf("refresh is %v", got)
	}
}

func TestWithLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newMemLAN()
		v := watch(t, on(l.host(), WithLimits(discovery.Limits{Nodes: 2})), discovery.Query{})
		defer v.close()
		for range 3 {
			h := l.host()
			a := announce(t, on(h), node(h))
			defer bye(t, a)
			time.Sleep(time.Second) // long enough to be heard of again
		}
		if n := len(v.last()); n != 2 {
			t.Errorf("%d nodes are known, want 2", n)
		}
		if ev := v.untilKind(discovery.Trouble, time.Second); !errors.Is(ev.Err, discovery.ErrLimit) {
			t.Errorf("told %v, want ErrLimit", ev.Err)
		}
	})
}
