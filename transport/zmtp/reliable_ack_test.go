package zmtp

import (
	"math"
	"slices"
	"testing"
	"time"
)

func TestAckBytes(t *testing.T) {
	for _, tt := range []struct {
		name   string
		upto   uint64
		ranges []Range
		want   string
	}{
		{"nothing yet", 0, nil, "04 0C 03 'ACK' 0000000000000000"},
		{"in order", 0x0102030405060708, nil, "04 0C 03 'ACK' 0102030405060708"},
		{
			"out of order", 5,
			[]Range{{7, 9}},
			"04 1E 03 'ACK' 0000000000000005 0001 0000000000000007 0000000000000009",
		},
		{
			"with gaps", 5,
			[]Range{{7, 9}, {11, 12}},
			"04 2E 03 'ACK' 0000000000000005 0002 0000000000000007 0000000000000009 000000000000000B 000000000000000C",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := AppendAck(nil, tt.upto, tt.ranges...)
			wantBytes(t, got, wire(tt.want))
			wantKeepsPrefix(t, func(b []byte) []byte { return AppendAck(b, tt.upto, tt.ranges...) })
			_, data, err := ParseCommand(got[2:])
			wantError(t, err, nil)
			upto, ranges, err := ParseAck(data, nil)
			wantError(t, err, nil)
			if upto != tt.upto || !slices.Equal(ranges, tt.ranges) {
				t.Errorf("%d %v came back", upto, ranges)
			}
		})
	}
}

func TestParseAck(t *testing.T) {
	for _, tt := range []struct {
		name   string
		data   string
		upto   uint64
		ranges []Range
		err    error
	}{
		{"no ranges, and said so", "0000000000000005 0000", 5, nil, nil},
		{"of a later version", "0000000000000005 0000 'later'", 5, nil, nil},
		{"one byte more", "0000000000000005 00", 5, nil, nil},
		{"empty", "", 0, nil, ErrMalformed},
		{"too short", "00000000000005", 0, nil, ErrMalformed},
		{"ranges past the end", "0000000000000005 FFFF", 0, nil, ErrMalformed},
		{"half a range", "0000000000000005 0001 0000000000000007", 0, nil, ErrMalformed},
		{"an empty range", "0000000000000005 0001 0000000000000007 0000000000000007", 5, nil, ErrMalformed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			upto, ranges, err := ParseAck(wire(tt.data), nil)
			wantError(t, err, tt.err)
			if upto != tt.upto || !slices.Equal(ranges, tt.ranges) {
				t.Errorf("got %d %v, want %d %v", upto, ranges, tt.upto, tt.ranges)
			}
		})
	}
}

func TestGiveBackBytes(t *testing.T) {
	for _, tt := range []struct {
		name string
		got  []byte
		want string
	}{
		{"NAK", AppendNak(nil, 5, 0), "04 10 03 'NAK' 0000000000000005 00000000"},
		{"NAK with a delay", AppendNak(nil, 5, 2*time.Second), "04 10 03 'NAK' 0000000000000005 000007D0"},
		{"NAK with a short delay", AppendNak(nil, 5, 1), "04 10 03 'NAK' 0000000000000005 00000001"},
		{"NAK with a delay that does not fit", AppendNak(nil, 5, math.MaxInt64), "04 10 03 'NAK' 0000000000000005 FFFFFFFF"},
		{"TERM", AppendTerm(nil, 5, ""), "04 0E 04 'TERM' 0000000000000005 00"},
		{"TERM with a reason", AppendTerm(nil, 5, "poison"), "04 14 04 'TERM' 0000000000000005 06 'poison'"},
	} {
		t.Run(tt.name, func(t *testing.T) { wantBytes(t, tt.got, wire(tt.want)) })
	}
	long := string(make([]byte, 300))
	_, data, err := ParseCommand(AppendTerm(nil, 1, long)[9:])
	wantError(t, err, nil)
	if _, reason, err := ParseTerm(data); err != nil || reason != long[:255] {
		t.Errorf("a reason of 300 bytes became one of %d, %v", len(reason), err)
	}
}

func TestParseGiveBack(t *testing.T) {
	type result struct {
		at     uint64
		delay  time.Duration
		reason string
	}
	nak := func(b []byte) (r result, err error) { r.at, r.delay, err = ParseNak(b); return r, err }
	term := func(b []byte) (r result, err error) { r.at, r.reason, err = ParseTerm(b); return r, err }
	for _, tt := range []struct {
		name  string
		parse func([]byte) (result, error)
		data  string
		want  result
		err   error
	}{
		{"NAK", nak, "0000000000000005 000007D0", result{5, 2 * time.Second, ""}, nil},
		{"NAK of a later version", nak, "0000000000000005 00000000 'later'", result{5, 0, ""}, nil},
		{"NAK, empty", nak, "", result{}, ErrMalformed},
		{"NAK without a delay", nak, "0000000000000005", result{}, ErrMalformed},
		{"TERM", term, "0000000000000005 06 'poison'", result{5, 0, "poison"}, nil},
		{"TERM of a later version", term, "0000000000000005 06 'poisonous'", result{5, 0, "poison"}, nil},
		{"TERM, empty", term, "", result{}, ErrMalformed},
		{"TERM without a reason", term, "0000000000000005", result{}, ErrMalformed},
		{"TERM with a reason past the end", term, "0000000000000005 07 'poison'", result{}, ErrMalformed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := tt.parse(wire(tt.data))
			wantError(t, err, tt.err)
			if r != tt.want {
				t.Errorf("got %+v, want %+v", r, tt.want)
			}
		})
	}
}

// What goes over the wire while messages do costs no allocation, either way.
func TestReliableAllocatesNothing(t *testing.T) {
	b, ranges := make([]byte, 0, 256), make([]Range, 0, 4)
	some := []Range{{7, 9}, {11, 12}}
	if n := testing.AllocsPerRun(100, func() {
		b = AppendNext(AppendLow(AppendAck(b[:0], 5, some...), 3), Next{Number: 9, Redelivered: true})
		for rest := b; len(rest) > 0; {
			h, n, _ := ParseHeader(rest)
			name, data, _ := ParseCommand(rest[n:][:h.Size])
			rest = rest[n+int(h.Size):]
			switch name {
			case CommandAck:
				_, ranges, _ = ParseAck(data, ranges[:0])
			case CommandNext:
				_, _ = ParseNext(data)
			case CommandLow:
				_, _, _ = ParseLow(data, nil)
			}
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if !slices.Equal(ranges, some) {
		t.Errorf("%v came back", ranges)
	}
}
