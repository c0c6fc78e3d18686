package patterns

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"
	"time"
)

// structure is a budget that only the structure of a value can exceed.
func structure() *budget {
	return &budget{depth: defaultDepth, elements: math.MaxUint64, memory: math.MaxUint64}
}

func TestScan(t *testing.T) {
	for _, tt := range []struct {
		name, data string
		problem    string // "" if it is accepted
	}{
		{"nil", "\xc0", ""},
		{"nothing", "", "byte 0: cut short: 1 more values were announced"},
		{"two values", "\xc0\xc0", "byte 1: 1 bytes after the value"},
		{"c1", "\x91\xc1", "byte 1: c1 is no value"},
		{"number cut short", "\xcd\x01", "byte 0: cd has 3 bytes, 2 are left"},
		{"text cut short", "\xa2m", "byte 0: a2 has 3 bytes, 2 are left"},
		{"text without a length", "\xda\x01", "byte 0: da is cut short"},
		{"bytes of 2^32-1", "\xc6\xff\xff\xff\xff", "byte 0: 4294967295 bytes were announced, 0 are left"},
		{
			"array of 2^32-1", "\xdd\xff\xff\xff\xff",
			"byte 0: array of 4294967295, but 0 bytes are left for 4294967295 values",
		},
		{"map of 2^32-1", "\xdf\xff\xff\xff\xff", "byte 0: map of 4294967295, but 0 bytes are left for 8589934590 values"},
		{"map without a value", "\x81\xa1a", "byte 3: cut short: 1 more values were announced"},
		{"array of two in one of two", "\x92\x92\xc0\xc0\xc0", ""},
		{"counts that are too many together", "\x92\x92\xc0\xc0", "byte 1: array of 2, but 2 bytes are left for 3 values"},
		{"empty containers", "\x94\x90\x80\xdc\x00\x00\xdf\x00\x00\x00\x00", ""},
		{"timestamp", "\xd6\xff\x00\x00\x00\x01", ""},
		{
			"timestamp of another type", "\xd6\x05\x00\x00\x00\x01",
			"byte 0: ext 5 of 4 bytes: only timestamps of 4, 8 or 12 bytes are accepted",
		},
		{
			"timestamp of 5 bytes", "\xc7\x05\xff12345",
			"byte 0: ext -1 of 5 bytes: only timestamps of 4, 8 or 12 bytes are accepted",
		},
		{"timestamp cut short", "\xc7\x0c\xff12345", "byte 0: ext of 12 bytes is cut short"},
		{
			"ext with a length of 16 bits", "\xc8\x00\x04\xff1234",
			"byte 0: ext c8: only timestamps of 4, 8 or 12 bytes are accepted",
		},
		{
			"timestamp with 10^9 nanoseconds", "\xd7\xff\xee\x6b\x28\x00\x00\x00\x00\x00",
			"byte 0: a timestamp with 1000000000 nanoseconds",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := scan([]byte(tt.data), structure())
			switch {
			case err == nil && tt.problem != "":
				t.Errorf("accepted; want %s", tt.problem)
			case err != nil && err.Error() != tt.problem:
				t.Errorf("got %v; want %s", err, tt.problem)
			case err == nil && string(got) != tt.data:
				t.Errorf("became %x", got)
			}
		})
	}
}

func TestScanDepth(t *testing.T) {
	for _, depth := range []int{1, 2, 64, 65, 1000} {
		b := structure()
		b.depth = depth
		for extra, ok := range map[int]bool{0: true, 1: false} {
			data := append(bytes.Repeat([]byte{0x91}, depth-1+extra), 0x91, 0xc0)
			if _, err := scan(data, b); (err == nil) != ok {
				t.Errorf("%d arrays at a depth of %d: %v", depth+extra, depth, err)
			}
			data[len(data)-2], data = 0x90, data[:len(data)-1] // an empty one counts as well
			if _, err := scan(data, b); (err == nil) != ok {
				t.Errorf("%d arrays, the last of them empty, at a depth of %d: %v", depth+extra, depth, err)
			}
		}
		// Beside each other is not inside each other.
		if _, err := scan(append([]byte{0xdc, 0x04, 0x00}, bytes.Repeat([]byte{0xc0}, 1024)...), b); err != nil {
			t.Error(err)
		}
	}
}

func TestScanBudget(t *testing.T) {
	for _, tt := range []struct {
		name   string
		budget budget
		data   string
		ok     bool
	}{
		{"3 values of 3", budget{depth: 9, elements: 3, memory: 1}, "\x92\x91\xc0\xc0", true},
		{"3 values of 2", budget{depth: 9, elements: 2, memory: 1}, "\x92\x91\xc0\xc0", false},
		{"an entry is two", budget{depth: 9, elements: 1, memory: 1}, "\x81\xc0\xc0", false},
		{
			"elements for what there is",
			budget{depth: 9, elements: 9, memory: 30, plan: plan{element: 10}},
			"\x92\x91\xc0\xc0", true,
		},
		{
			"elements for a byte less",
			budget{depth: 9, elements: 9, memory: 29, plan: plan{element: 10}},
			"\x92\x91\xc0\xc0", false,
		},
		{
			"a map and its entries",
			budget{depth: 9, elements: 9, memory: 70, plan: plan{table: 50, entry: 10}},
			"\x82\xc0\xc0\xc0\xc0", true,
		},
		{
			"a byte less",
			budget{depth: 9, elements: 9, memory: 69, plan: plan{table: 50, entry: 10}},
			"\x82\xc0\xc0\xc0\xc0", false,
		},
		{"an empty map", budget{depth: 9, elements: 9, memory: 49, plan: plan{table: 50}}, "\x80", false},
		{
			"a cost that is huge",
			budget{depth: 9, elements: 9, memory: 1 << 62, plan: plan{element: 1 << 40}},
			"\x92\xc0\xc0", true,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := scan([]byte(tt.data), &tt.budget); (err == nil) != tt.ok {
				t.Error(err)
			}
		})
	}
}

// A timestamp whose body begins like a map is replaced by a longer one of the same time; nothing else is touched.
func TestScanRewritesTimestamps(t *testing.T) {
	long := func(seconds int64, nanos uint32) string {
		b := binary.BigEndian.AppendUint32([]byte{0xc7, 12, 0xff}, nanos)
		return string(binary.BigEndian.AppendUint64(b, uint64(seconds)))
	}
	for _, tt := range []struct{ name, in, want string }{
		{"in 4 bytes, not like a map", "\xd6\xff\x7f\x00\x00\x01", "\xd6\xff\x7f\x00\x00\x01"},
		{"in 4 bytes, like a map of 0", "\xd6\xff\x80\x00\x00\x01", long(0x80000001, 0)},
		{"in 4 bytes, like a map of 15", "\xd6\xff\x8f\xff\xff\xff", long(0x8fffffff, 0)},
		{"in 4 bytes, like an array", "\xd6\xff\x90\x00\x00\x00", "\xd6\xff\x90\x00\x00\x00"},
		{"in 4 bytes, like nil", "\xd6\xff\xc0\x00\x00\x00", long(0xc0000000, 0)},
		{"in 4 bytes, like a long map", "\xd6\xff\xdf\x00\x00\x00", long(0xdf000000, 0)},
		{"in 8 bytes", "\xd7\xff\x81\xa1a\x74\x01\x31\x2d\x00", long(0x001312d00, 0x81a16174>>2)},
		{"in 4 bytes as ext of any length", "\xc7\x04\xff\xde\x00\x00\x00", long(0xde000000, 0)},
		{
			"in 12 bytes", "\xc7\x0c\xff\x3b\x9a\xc9\xff\x80\x80\x80\x80\x80\x80\x80\x80",
			"\xc7\x0c\xff\x3b\x9a\xc9\xff\x80\x80\x80\x80\x80\x80\x80\x80",
		},
		{
			"two among others", "\x95\x01\xd6\xff\x80\x00\x00\x00\xa1a\xd6\xff\x81\x00\x00\x00\x02",
			"\x95\x01" + long(0x80000000, 0) + "\xa1a" + long(0x81000000, 0) + "\x02",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := []byte(tt.in)
			got, err := scan(in, structure())
			if err != nil || string(got) != tt.want {
				t.Errorf("%x, %v; want %x", got, err, tt.want)
			}
			if string(in) != tt.in {
				t.Error("the input was changed")
			}
		})
	}
}

// Every time that can be written is read as the same, whatever its bytes look like.
func TestTimesOfAllBeginnings(t *testing.T) {
	c := Msgpack(Limits{})
	check := func(want time.Time) {
		t.Helper()
		data, err := c.Append(nil, want)
		var got time.Time
		if err == nil {
			err = c.Decode(data, &got)
		}
		if err != nil || !got.Equal(want) {
			t.Errorf("%x: %v, %v; want %v", data, got, err, want)
		}
	}
	for first := range int64(256) {
		check(time.Unix(first<<24|5, 0))
		check(time.Unix(1_700_000_000, min(first<<22|3, maxNanoseconds)))
	}
	check(time.Unix(-62135596800, 0))
	check(time.Unix(1<<40, 999_999_999))
}

func TestScanAllocatesNothing(t *testing.T) {
	data := []byte("\x82\xa1a\x93\x01\x02\xd6\xff\x00\x00\x00\x01\xa1b\xc4\x01x")
	b := structure()
	if n := testing.AllocsPerRun(100, func() {
		if _, err := scan(data, b); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
