package socket

import (
	"bytes"
	"testing"

	"github.com/yodel-mq/yodel/socket/internal/reliable"
)

func TestRequestID(t *testing.T) {
	id := requestID{requester{stream: reliable.ID{1, 2, 3}}, 7}
	frame := appendRequestID(nil, id, 5)
	for _, c := range []struct {
		name     string
		envelope [][]byte
		ok       bool
	}{
		{"alone", [][]byte{frame, nil}, true},
		{"behind what a proxy has added", [][]byte{{9, 9}, frame, nil}, true},
		{"no id", [][]byte{nil}, false},
		{"that of a REQ without a spool", [][]byte{{0, 0, 0, 1}, nil}, false},
		{"not the last", [][]byte{frame, {1}, nil}, false},
		{"too short", [][]byte{frame[:len(frame)-1], nil}, false},
		{"too long", [][]byte{append(bytes.Clone(frame), 0), nil}, false},
		{"another word", [][]byte{append([]byte("YRES"), frame[4:]...), nil}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, low, ok := requestIDOf(c.envelope)
			if ok != c.ok || ok && (got != id || low != 5) {
				t.Errorf("it is %v, low %d, %v", got, low, ok)
			}
		})
	}
}

// TestRepliesAreBounded: a reply is kept until its requester has settled the request or there are too many, and nothing
// is left of it then.
func TestRepliesAreBounded(t *testing.T) {
	of := func(of byte, number uint64) requestID {
		return requestID{requester{stream: reliable.ID{of}}, number}
	}
	known := func(r *replies, id requestID, low uint64) string {
		switch k, yes := r.repeated(id, low); {
		case !yes:
			return "new"
		case k == nil:
			return "settled"
		default:
			return string(k.frames[0])
		}
	}
	body := [][]byte{[]byte("reply")}
	t.Run("settled", func(t *testing.T) {
		var r replies
		for n := range uint64(10) {
			r.keep(of(1, n+1), 1, body, 0)
		}
		for _, c := range []struct {
			number, low uint64
			want        string
		}{{3, 1, "reply"}, {11, 5, "new"}, {4, 1, "settled"}, {5, 1, "reply"}, {12, 12, "new"}} {
			if got := known(&r, of(1, c.number), c.low); got != c.want {
				t.Errorf("%d, low %d, is %s, want %s", c.number, c.low, got, c.want)
			}
		}
		if len(r.streams) != 0 || r.order.Len() != 0 || r.bytes != 0 {
			t.Errorf("%d streams, %d replies, %d bytes are left", len(r.streams), r.order.Len(), r.bytes)
		}
	})
	t.Run("number", func(t *testing.T) {
		var r replies
		for n := range uint64(maxKept + 10) {
			r.keep(of(byte(n), n+1), 1, body, 0)
		}
		if r.order.Len() != maxKept {
			t.Errorf("%d are kept, want %d", r.order.Len(), maxKept)
		}
		if got := known(&r, of(9, 10), 1); got != "new" {
			t.Errorf("the oldest is %s", got)
		}
		if got := known(&r, of(10, 11), 1); got != "reply" {
			t.Errorf("the oldest that is left is %s", got)
		}
	})
	t.Run("bytes", func(t *testing.T) {
		var r replies
		large := [][]byte{make([]byte, maxKeptBytes/4)}
		for n := range uint64(10) {
			r.keep(of(1, n+1), 1, large, 0)
		}
		if r.order.Len() != 3 || r.bytes > maxKeptBytes {
			t.Errorf("%d are kept, with %d bytes", r.order.Len(), r.bytes)
		}
	})
	t.Run("the same again", func(t *testing.T) {
		var r replies
		r.keep(of(1, 1), 1, body, 0)
		r.keep(of(1, 1), 1, [][]byte{[]byte("other")}, 0)
		if got := known(&r, of(1, 1), 1); got != "other" || r.order.Len() != 1 {
			t.Errorf("it is %s, of %d", got, r.order.Len())
		}
	})
}
