package zmtp

import (
	"errors"
	"io"
	"runtime"
	"runtime/metrics"
	"testing"
)

// A process that receives much has its garbage collected less often than one that does not, and one that receives
// much in long bodies even less.
func TestReserve(t *testing.T) {
	for _, c := range []struct {
		name     string
		body     int
		messages int
		want     uint64
	}{
		{"small", 1000, busyAfter/1000 + 100, reserveSize},
		{"long", bulkBody + 1, bulkAfter/bulkBody + 100, reserveSize + bulkSize},
	} {
		t.Run(c.name, func(t *testing.T) {
			body := make([]byte, c.body)
			one := append(AppendHeader(nil, 0, len(body)), body...)
			r := NewReader(&repeated{one: one, left: c.messages * len(one)}, nil, Limits{})
			for {
				_, err := r.Next(nil)
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			runtime.GC()
			goal := []metrics.Sample{{Name: "/gc/heap/goal:bytes"}}
			metrics.Read(goal)
			if got := goal[0].Value.Uint64(); got < 2*c.want {
				t.Errorf("the collector starts at %d bytes, want %d", got, 2*c.want)
			}
		})
	}
}

// repeated reads the same bytes again and again, left altogether.
type repeated struct {
	one      []byte
	at, left int
}

func (r *repeated) Read(b []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), r.left)], r.one[r.at:])
	r.at = (r.at + n) % len(r.one)
	r.left -= n
	return n, nil
}
