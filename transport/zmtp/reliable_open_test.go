package zmtp

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
)

var (
	plainOpen = Open{
		Stream: sixteen('A'), Epoch: 1, Nonce: 2, Link: 5, Low: 3, Next: 4, WindowMessages: 1 << 20, WindowBytes: 8 << 20,
	}
	plainOpenData = "00 " + sixteenA + " 0000000000000001 0000000000000002 0000000000000005 0000000000000003 " +
		"0000000000000004 00100000 00002000 00"
)

func TestOpenBytes(t *testing.T) {
	named := plainOpen
	named.Durable, named.Shared, named.Name = true, true, "orders"
	limits := plainOpen
	limits.WindowMessages, limits.WindowBytes = math.MaxUint64, math.MaxUint64
	odd := plainOpen
	odd.WindowMessages, odd.WindowBytes = 0, 1
	long := plainOpen
	long.Name = strings.Repeat("x", 300)
	cut := long
	cut.Name = long.Name[:255]
	for _, tt := range []struct {
		name string
		open Open
		want string
		back Open
	}{
		{"of a memory", plainOpen, plainOpenData, plainOpen},
		{"of a spool, shared", named, "06" + plainOpenData[2:len(plainOpenData)-2] + "06 'orders'", named},
		{
			"a window beyond the field", limits, strings.Replace(plainOpenData, "00100000 00002000", "FFFFFFFF FFFFFFFF", 1),
			withWindow(plainOpen, math.MaxUint32, math.MaxUint32<<10),
		},
		{
			"any window, and one byte", odd, strings.Replace(plainOpenData, "00100000 00002000", "00000000 00000001", 1),
			withWindow(plainOpen, 0, 1024),
		},
		{
			"a long name is cut", long, plainOpenData[:len(plainOpenData)-2] + "FF '" + cut.Name + "'", cut,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := tt.open.Command()
			if c.Name != "OPEN" {
				t.Errorf("name %q", c.Name)
			}
			wantBytes(t, c.Data, wire(tt.want))
			back, err := ParseOpen(c.Data)
			wantError(t, err, nil)
			if back != tt.back {
				t.Errorf("got %+v, want %+v", back, tt.back)
			}
		})
	}
}

func withWindow(o Open, messages, bytes uint64) Open {
	o.WindowMessages, o.WindowBytes = messages, bytes
	return o
}

func TestParseOpen(t *testing.T) {
	for _, tt := range []struct {
		name string
		data string
		want Open
		err  error
	}{
		{"exact", plainOpenData, plainOpen, nil},
		{"of a later version", "F9" + plainOpenData[2:] + " 'later'", plainOpen, nil},
		{"empty", "", Open{}, ErrMalformed},
		{"without the length of the name", plainOpenData[:len(plainOpenData)-3], Open{}, ErrMalformed},
		{"a name past the end", plainOpenData[:len(plainOpenData)-2] + "05 'four'", Open{}, ErrMalformed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o, err := ParseOpen(wire(tt.data))
			wantError(t, err, tt.err)
			if o != tt.want {
				t.Errorf("got %+v, want %+v", o, tt.want)
			}
		})
	}
}

const openedHead = " 02 " + sixteenB + " 0000000000000009 00000064 00000001 0000000000000005 "

func plainOpened() Opened {
	return Opened{
		Known: 2, Receiver: sixteen('B'), Next: 9, CreditMessages: 100, CreditBytes: 1024, Floor: 5,
		Done: []Range{{6, 7}}, Held: []Range{{8, 9}, {5, 6}},
	}
}

func TestOpenedBytes(t *testing.T) {
	const ranges = "0000000000000006 0000000000000007 0000000000000008 0000000000000009 0000000000000005 0000000000000006"
	all, bare := plainOpened(), plainOpened()
	bare.Status, bare.Done, bare.Held = OpenFenced, nil, nil
	for _, tt := range []struct {
		name   string
		opened Opened
		want   string
	}{
		{"with ranges", all, "00 00" + openedHead + "0001 0002 " + ranges},
		{"fenced", bare, "01 00" + openedHead + "0000 0000"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cs := tt.opened.Commands()
			if len(cs) != 1 || cs[0].Name != "OPENED" {
				t.Fatalf("%d commands, the first is %q", len(cs), cs[0].Name)
			}
			wantBytes(t, cs[0].Data, wire(tt.want))
			var back Opened
			more, err := back.Add(cs[0].Data)
			wantError(t, err, nil)
			if more || !reflect.DeepEqual(back, tt.opened) {
				t.Errorf("got %+v, %v, want %+v", back, more, tt.opened)
			}
		})
	}
}

// An answer with more ranges than one command has room for comes in parts, and is put together again.
func TestOpenedInParts(t *testing.T) {
	for _, tt := range []struct {
		name       string
		done, held int
		parts      int
	}{
		{"as many as fit", 200, 40, 1},
		{"one more that is held", 200, 41, 2},
		{"one more that is done", 241, 0, 2},
		{"three parts", 500, 100, 3},
		{"all that there may be", 60000, 5536, 274},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := plainOpened()
			o.Done, o.Held = someRanges(tt.done), someRanges(tt.held)
			var back Opened
			cs := o.Commands()
			if len(cs) != tt.parts {
				t.Errorf("%d parts, want %d", len(cs), tt.parts)
			}
			for i, c := range cs {
				if frame := len(AppendCommand(nil, c.Name, c.Data)); frame > 4<<10 {
					t.Fatalf("part %d is a frame of %d bytes", i, frame)
				}
				more, err := back.Add(c.Data)
				wantError(t, err, nil)
				if more != (i < len(cs)-1) {
					t.Fatalf("more is %v after part %d of %d", more, i, len(cs))
				}
			}
			if !slices.Equal(back.Done, o.Done) || !slices.Equal(back.Held, o.Held) {
				t.Errorf("%d done and %d held came back, want %d and %d", len(back.Done), len(back.Held), tt.done, tt.held)
			}
		})
	}
}

// What does not fit into all parts together is left out, so that the other side takes it; but a peer's is refused.
func TestOpenedHasAnEnd(t *testing.T) {
	o := plainOpened()
	o.Done, o.Held = someRanges(MaxOpenedTotal), someRanges(1000)
	var back Opened
	for _, c := range o.Commands() {
		_, err := back.Add(c.Data)
		wantError(t, err, nil)
	}
	if len(back.Held) != 1000 || len(back.Done) != MaxOpenedTotal-1000 {
		t.Errorf("%d done and %d held", len(back.Done), len(back.Held))
	}
	one := plainOpened()
	_, err := back.Add(one.Commands()[0].Data)
	wantError(t, err, ErrTooLarge, "65539 ranges")
}

func someRanges(n int) []Range {
	var rs []Range
	for i := range uint64(n) {
		rs = append(rs, Range{10 + 2*i, 11 + 2*i})
	}
	return rs
}

func TestParseOpened(t *testing.T) {
	for _, tt := range []struct {
		name   string
		data   string
		status OpenStatus
		more   bool
		err    error
	}{
		{"ok", "00 00" + openedHead + "0000 0000", OpenOK, false, nil},
		{"more follows", "00 01" + openedHead + "0000 0000", OpenOK, true, nil},
		{"a status that we do not know", "09 00" + openedHead + "0000 0000", OpenRefused, false, nil},
		{"of a later version", "02 FE" + openedHead + "0000 0000 'later'", OpenForked, false, nil},
		{"empty", "", 0, false, ErrMalformed},
		{"too short", "00 00" + openedHead + "0000 00", 0, false, ErrMalformed},
		{"ranges past the end", "00 00" + openedHead + "0001 0000 0000000000000001", 0, false, ErrMalformed},
		{"an empty range", "00 00" + openedHead + "0001 0000 0000000000000001 0000000000000001", 0, false, ErrMalformed},
		{
			"a range turned around", "00 01" + openedHead + "0000 0001 0000000000000002 0000000000000001", 0, false,
			ErrMalformed,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var o Opened
			more, err := o.Add(wire(tt.data))
			wantError(t, err, tt.err)
			if err == nil && (o.Status != tt.status || more != tt.more) || err != nil && more {
				t.Errorf("status %d, more %v; want %d, %v", o.Status, more, tt.status, tt.more)
			}
		})
	}
}
