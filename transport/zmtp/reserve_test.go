package zmtp

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"runtime/metrics"
	"testing"
)

// A process that receives much has its garbage collected less often than one that does not.
func TestReserve(t *testing.T) {
	body := make([]byte, 1000)
	one := append(AppendHeader(nil, 0, len(body)), body...)
	src := bytes.NewReader(bytes.Repeat(one, busyAfter/len(body)+100))
	r := NewReader(src, nil, Limits{})
	for {
		_, err := r.Next(func(string, []byte) error { return nil })
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
	if got := goal[0].Value.Uint64(); got < 2*reserveSize {
		t.Errorf("the collector starts at %d bytes, want %d", got, 2*reserveSize)
	}
}
