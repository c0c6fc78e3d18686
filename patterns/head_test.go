package patterns

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
)

func isHeadError(err error) bool { return errors.Is(err, ErrHead) }

func wantHead(t *testing.T, data []byte, want Head) {
	t.Helper()
	got, err := ParseHead(data)
	if err != nil {
		t.Fatalf("%x: %v", data, err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%x is\n%+v; want\n%+v", data, got, want)
	}
}

// What is known of a head's size, so that nobody makes it larger unawares.
func TestHeadSizes(t *testing.T) {
	for _, tt := range []struct {
		name string
		head Head
		want int
	}{
		{"call", Head{Method: "add"}, 7},
		{"call with a deadline", Head{Method: "orders.create", Left: 5 * time.Second}, 22},
		{"call with trace context", callHead(), 94},
		{"reply", Head{}, 1},
		{"error", Head{Code: CodeNotFound, Text: "no such order"}, 29},
		{"overloaded", Head{Code: CodeOverloaded, Retry: 50 * time.Millisecond}, 17},
		{"item", Head{Kind: KindItem}, 4},
		{"credit", Head{Kind: KindCredit, Window: 256 << 10}, 11},
		{"event", Head{Seq: 70_000}, 8},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := len(tt.head.AppendTo(nil)); got != tt.want {
				t.Errorf("%d bytes, want %d", got, tt.want)
			}
		})
	}
}

func TestHeadAppendsToWhatIsThere(t *testing.T) {
	many := Head{
		Version: 2, Kind: KindNack, Method: "m", Left: 1, Type: "json", Key: "i", Window: 1, Code: "e", Text: "t", Retry: 1,
		NotBegun: true, Seq: 1, List: []uint64{1}, Attempt: 1, Delivery: 1, Origin: [16]byte{1}, Time: time.UnixMilli(1),
		Flags:   1,
		Headers: Headers{"a": "b"},
	}
	for _, h := range []Head{{}, callHead(), many} {
		alone := h.AppendTo(nil)
		if got := h.AppendTo([]byte("before")); string(got) != "before"+string(alone) {
			t.Errorf("%q; want %q", got, "before"+string(alone))
		}
	}
}

// The deadline of a call is rounded up, as is all that travels in milliseconds.
func TestHeadMilliseconds(t *testing.T) {
	for _, tt := range []struct {
		in   time.Duration
		want time.Duration
	}{
		{0, 0},
		{1, time.Millisecond},
		{-time.Hour, time.Millisecond},
		{time.Millisecond, time.Millisecond},
		{time.Millisecond + 1, 2 * time.Millisecond},
		{time.Hour, time.Hour},
		{math.MinInt64, time.Millisecond},
	} {
		in := Head{Left: tt.in, Retry: tt.in}
		wantHead(t, in.AppendTo(nil), Head{Left: tt.want, Retry: tt.want})
	}
	// More than Go has are as many as it has.
	longest := time.Duration(math.MaxInt64/int64(time.Millisecond)) * time.Millisecond
	wantHead(t, []byte("\x81\xa1d\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), Head{Left: longest})
	in := Head{Left: math.MaxInt64}
	if got, err := ParseHead(in.AppendTo(nil)); err != nil || got.Left != longest {
		t.Errorf("%v, %v; want %v", got.Left, err, longest)
	}
}

func TestHeadTime(t *testing.T) {
	for _, tt := range []struct {
		name     string
		in, want time.Time
	}{
		{"none", time.Time{}, time.Time{}},
		{"before 1970", time.Unix(-1, 0), time.Time{}},
		{"milliseconds", time.UnixMicro(1_700_000_000_123_999), time.UnixMilli(1_700_000_000_123)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := Head{Time: tt.in}
			wantHead(t, in.AppendTo(nil), Head{Time: tt.want})
		})
	}
	if _, err := ParseHead([]byte("\x81\xa1s\xcf\xff\xff\xff\xff\xff\xff\xff\xff")); !isHeadError(err) {
		t.Errorf("a time that is out of range: %v", err)
	}
}

// What is not UTF-8 does not go out as text, for which peers in other languages refuse the whole head.
func TestHeadText(t *testing.T) {
	in := Head{Method: "a\xff\xfeb", Text: "\xc3", Code: "\xff", Type: "\xff", Key: "\xff\x00"}
	got, err := ParseHead(in.AppendTo(nil))
	want := Head{Method: "a\ufffdb", Text: "\ufffd", Code: "\ufffd", Type: "\ufffd", Key: "\xff\x00"}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
}

// Whatever Validate lets pass the other side takes, and what it refuses the other side refuses.
func TestHeadLimits(t *testing.T) {
	headers := func(n, size int) Headers {
		h := Headers{}
		for i := range n {
			name := strconv.Itoa(i)
			h[name] = strings.Repeat("v", size-len(name))
		}
		return h
	}
	list := make([]uint64, 2000)
	for i := range list {
		list[i] = math.MaxUint64
	}
	for _, tt := range []struct {
		name string
		head Head
		ok   bool
	}{
		{"nothing", Head{}, true},
		{"key of 64", Head{Key: strings.Repeat("k", 64)}, true},
		{"key of 65", Head{Key: strings.Repeat("k", 65)}, false},
		{"key of 65 bytes", Head{Key: strings.Repeat("\xff", 65)}, false},
		{"64 headers", Head{Headers: headers(64, 5)}, true},
		{"65 headers", Head{Headers: headers(65, 5)}, false},
		{"headers of 8 KiB", Head{Headers: headers(8, 1024)}, true},
		{"headers of 8 KiB and a byte", Head{Headers: Headers{"a": strings.Repeat("v", 8192)}}, false},
		{"text of nearly 16 KiB", Head{Text: strings.Repeat("t", 16<<10-6)}, true},
		{"text of 16 KiB", Head{Text: strings.Repeat("t", 16<<10-5)}, false},
		{"1,800 numbers", Head{List: list[:1800]}, true},
		{"2,000 numbers", Head{List: list}, false},
		{"text of 70,000", Head{Text: strings.Repeat("t", 70_000)}, false},
		{"70,000 small numbers", Head{List: make([]uint64, 70_000)}, false},
		{"8 KiB of headers and of text", Head{Headers: headers(8, 1024), Text: strings.Repeat("t", 8192-80)}, true},
		{"8 KiB of headers and more of text", Head{Headers: headers(8, 1024), Text: strings.Repeat("t", 8192)}, false},
		{"text that grows when it is repaired", Head{Text: strings.Repeat("a\xff", 4500)}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.head.Validate()
			if (err == nil) != tt.ok || err != nil && !isHeadError(err) {
				t.Errorf("Validate: %v", err)
			}
			data := tt.head.AppendTo(nil)
			if _, err := ParseHead(data); (err == nil) != tt.ok || err != nil && !isHeadError(err) {
				t.Errorf("ParseHead of %d bytes: %v", len(data), err)
			}
		})
	}
	for _, h := range []Headers{{"\xff": "v"}, {"n": "\xff"}} {
		if err := (&Head{Headers: h}).Validate(); !isHeadError(err) {
			t.Errorf("%q: %v", h, err)
		}
	}
}

// Whatever is missing at the end is an error.
func TestHeadCutAnywhere(t *testing.T) {
	for _, v := range append(readVectors(t).Heads, readVectors(t).HeadsRead...) {
		for n := range v.Hex {
			if h, err := ParseHead(v.Hex[:n]); !isHeadError(err) {
				t.Errorf("%s: %d of %d bytes: %+v, %v", v.Name, n, len(v.Hex), h, err)
			}
		}
	}
}

// A head keeps nothing of the bytes it was read from, which belong to a message that is given back.
func TestHeadKeepsNothing(t *testing.T) {
	in := Head{
		Method: "method", Type: "json", Key: "key", Code: "code", Text: "text", Origin: [16]byte{1}, List: []uint64{1, 2},
		Headers: Headers{"name": "value"},
	}
	data := in.AppendTo(nil)
	got, err := ParseHead(data)
	clear(data)
	if err != nil || !reflect.DeepEqual(got, in) {
		t.Errorf("%+v, %v; want %+v", got, err, in)
	}
}

func TestHeadAllocations(t *testing.T) {
	h := callHead()
	h.Headers = nil
	data, reply := h.AppendTo(nil), []byte{0x80}
	for _, tt := range []struct {
		name string
		want float64
		do   func()
	}{
		{"append", 0, func() { data = h.AppendTo(data[:0]) }},
		{"parse a call", 1, func() { _, _ = ParseHead(data) }},
		{"parse a reply", 0, func() { _, _ = ParseHead(reply) }},
	} {
		if got := testing.AllocsPerRun(100, tt.do); got > tt.want {
			t.Errorf("%s: %v allocations, want %v", tt.name, got, tt.want)
		}
	}
}

func TestKindNames(t *testing.T) {
	for k, want := range map[Kind]string{
		KindMessage: "message", KindInProgress: "in progress", KindLeave: "leave", 15: "kind 15", 255: "kind 255",
	} {
		if got := k.String(); got != want {
			t.Errorf("%d is %q, want %q", k, got, want)
		}
	}
}

// FuzzHead: no panic; what is read is written and read back as the same, takes no more bytes, and little memory.
func FuzzHead(f *testing.F) {
	all := readVectors(f)
	for _, v := range append(all.Heads, all.HeadsRead...) {
		f.Add([]byte(v.Hex))
	}
	for _, v := range all.HeadsRefused {
		f.Add([]byte(v.Hex))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		before := bytes.Clone(data)
		var h Head
		var err error
		if got := allocated(allowance(data), func() { h, err = ParseHead(data) }); got > allowance(data) {
			t.Errorf("%d bytes for a head of %d", got, len(data))
		}
		if !bytes.Equal(data, before) {
			t.Error("the head was changed")
		}
		if err != nil {
			if !isHeadError(err) {
				t.Errorf("%v is no ErrHead", err)
			}
			return
		}
		if err := h.Validate(); err != nil {
			t.Errorf("Validate of what was read: %v", err)
		}
		again := h.AppendTo(nil)
		if len(again) > len(data) {
			t.Errorf("%d bytes became %d", len(data), len(again))
		}
		back, err := ParseHead(again)
		if err != nil {
			t.Fatalf("%x: %v", again, err)
		}
		normal(&h)
		if !reflect.DeepEqual(back, h) {
			t.Errorf("%+v became %+v", h, back)
		}
	})
}

// normal leaves out what does not travel: what is empty, and the version that is meant if there is none.
func normal(h *Head) {
	if h.Version == 1 {
		h.Version = 0
	}
	if len(h.List) == 0 {
		h.List = nil
	}
	if len(h.Headers) == 0 {
		h.Headers = nil
	}
}
