package patterns

import (
	"math/big"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vmihailenco/msgpack/v5"
)

// Types that msgpack is decoded into by the tests that count memory.
type (
	row struct { // of 200 bytes
		Line, When   string
		A, B, C, D   uint64
		X, Y, Z      [5]uint64
		Next         *row
		Count, Total int64
	}
	table struct {
		Lines []row
		Text  string
		Data  []byte
	}
	linked struct{ Next *linked }
	tree   struct{ Trees []tree }
	mixed  struct {
		Extra map[string]any
		When  time.Time
		Addr  netip.Addr
		Any   any
		Raw   msgpack.RawMessage
		U16   uint16
		Names []string
		A     int8
	}
)

var intos = []reflect.Type{
	reflect.TypeFor[any](), reflect.TypeFor[map[string]any](), reflect.TypeFor[map[any]any](), reflect.TypeFor[[]row](),
	reflect.TypeFor[table](), reflect.TypeFor[linked](), reflect.TypeFor[tree](), reflect.TypeFor[mixed](),
	reflect.TypeFor[[]int64](), reflect.TypeFor[[]byte](), reflect.TypeFor[map[string]string](),
	reflect.TypeFor[map[int]row](),
	reflect.TypeFor[big.Int](), reflect.TypeFor[[]*row](), reflect.TypeFor[string](), reflect.TypeFor[[][]string](),
	reflect.TypeFor[time.Time](), reflect.TypeFor[msgpack.RawMessage](), reflect.TypeFor[map[string]map[string]string](),
	reflect.TypeFor[[4]linked](), reflect.TypeFor[uint16](),
}

// hostile are inputs that make the library allocate without measure, overflow the stack, panic or mistake numbers.
var hostile = []struct {
	name, data string
	into       reflect.Type
	reads      string // what is read, as the library reads it; "" if it is an error
}{
	{"array of 2^32-1", "\xdd\xff\xff\xff\xff", reflect.TypeFor[any](), ""},
	{"array of 20 million", "\xdd\x01\x31\x2d\x00", reflect.TypeFor[any](), ""},
	{"array of 20 million numbers", "\xdd\x01\x31\x2d\x00", reflect.TypeFor[[]int64](), ""},
	{"array of a million structs", "\xdd\x00\x0f\x42\x40", reflect.TypeFor[[]row](), ""},
	{"array of a million structs in a field", "\x81\xa5Lines\xdd\x00\x0f\x42\x40", reflect.TypeFor[table](), ""},
	{"map of 4 million", "\xdf\x00\x3d\x09\x00", reflect.TypeFor[any](), ""},
	{"map of 4 million names", "\xdf\x00\x3d\x09\x00", reflect.TypeFor[map[string]any](), ""},
	{"map of 4 million in a field", "\x81\xa5Extra\xdf\x00\x3d\x09\x00", reflect.TypeFor[mixed](), ""},
	{"bytes of 2^30", "\xc6\x40\x00\x00\x00", reflect.TypeFor[any](), ""},
	{"bytes of 2^30 into bytes", "\xc6\x40\x00\x00\x00", reflect.TypeFor[[]byte](), ""},
	{"bytes of 2^30 in a field", "\x81\xa4Data\xc6\x40\x00\x00\x00", reflect.TypeFor[table](), ""},
	{"bytes of 2^30 as text of a type's own", "\x81\xa4Addr\xc6\x40\x00\x00\x00", reflect.TypeFor[mixed](), ""},
	{"bytes of 2^32-1", "\xc6\xff\xff\xff\xff", reflect.TypeFor[any](), ""},
	{"2 million arrays in each other", strings.Repeat("\x91", 2_000_000), reflect.TypeFor[any](), ""},
	{"2 million whole arrays in each other", strings.Repeat("\x91", 2_000_000) + "\xc0", reflect.TypeFor[any](), ""},
	{"1.7 million structs in each other", strings.Repeat("\x91", 1_700_000) + "\x90", reflect.TypeFor[tree](), ""},
	{"1.9 million maps in each other", strings.Repeat("\x81\xa0", 1_900_000) + "\xc0", reflect.TypeFor[any](), ""},
	{
		"4.5 million arrays in a raw message", strings.Repeat("\x91", 4_500_000) + "\xc0",
		reflect.TypeFor[msgpack.RawMessage](), "",
	},
	{
		"200,000 arrays in an unknown field", "\x81\xa1z" + strings.Repeat("\x91", 200_000) + "\xc0",
		reflect.TypeFor[table](), "",
	},
	{"1.2 million linked structs", strings.Repeat("\x81\xa4Next", 1_200_000) + "\xc0", reflect.TypeFor[linked](), ""},
	{"map in the body of a timestamp", "\xd7\xff\x81\xa1a\xdd\x01\x31\x2d\x00", reflect.TypeFor[map[string]any](), ""},
	{
		"the same with a name and an array", "\xd7\xff\x81\xa1\x61\xdd\xff\xff\xff\xff", reflect.TypeFor[map[string]any](),
		"",
	},
	{"the same in a field", "\x81\xa5Extra\xd7\xff\x81\xa1a\xdd\x01\x31\x2d\x00", reflect.TypeFor[mixed](), ""},
	{
		"map in the body of an ext of 8 bytes", "\xc7\x08\x05\x81\xa1a\xdd\x01\x31\x2d\x00",
		reflect.TypeFor[map[string]any](), "",
	},
	{"map in the body of an ext of 4 bytes", "\xd6\x05\xdf\x00\x3d\x09", reflect.TypeFor[map[string]any](), ""},
	{"nil for a time", "\x81\xa4When\xc0", reflect.TypeFor[mixed](), ""},
	{"an array for the key of a map", "\x81\x90\xc0", reflect.TypeFor[map[any]any](), ""},
	{"a million empty structs", "\xdd\x00\x10\x00\x00" + strings.Repeat("\x80", 1<<20), reflect.TypeFor[[]row](), ""},
	{"a million nils for structs", "\xdd\x00\x10\x00\x00" + strings.Repeat("\xc0", 1<<20), reflect.TypeFor[[]row](), ""},
	{"a million empty maps", "\xdd\x00\x10\x00\x00" + strings.Repeat("\x80", 1<<20), reflect.TypeFor[any](), ""},
	{"bytes after the value", "\x01\xc1\xc1\xc1", reflect.TypeFor[int](), ""},

	// These cost nothing beyond what was received. As documented they are read as the library reads them.
	{"a million nils", "\xdd\x00\x10\x00\x00" + strings.Repeat("\xc0", 1<<20), reflect.TypeFor[any](), "1048576 values"},
	{"200,000 digits", "\xdb\x00\x03\x0d\x40" + strings.Repeat("7", 200_000), reflect.TypeFor[big.Int](), "664386 bits"},
	{"300 for int8", "\x81\xa1A\xcd\x01\x2c", reflect.TypeFor[mixed](), "44"},
	{"-1 for uint16", "\xff", reflect.TypeFor[uint16](), "65535"},
	{"70,000 for uint16", "\xce\x00\x01\x11\x70", reflect.TypeFor[uint16](), "4464"},
	{"two equal keys", "\x82\xa1A\x01\xa1A\x02", reflect.TypeFor[mixed](), "2"},
}

// Pitfall 16 of the design: no input costs more than what it is, and none panics.
func TestMsgpackHostile(t *testing.T) {
	c := Msgpack(Limits{})
	for _, tt := range hostile {
		t.Run(tt.name, func(t *testing.T) {
			v := reflect.New(tt.into)
			err := c.Decode([]byte(tt.data), v.Interface())
			if got := shown(v.Elem().Interface()); err == nil && got != tt.reads || err != nil && tt.reads != "" {
				t.Errorf("got %q, %v; want %q", got, err, tt.reads)
			}
			wantLittle(t, c, []byte(tt.data))
		})
	}
}

// wantLittle decodes data into all types and sees that none of it takes more memory than is allowed.
func wantLittle(t *testing.T, c Codec, data []byte) {
	t.Helper()
	types := intos
	if len(data) > 300_000 { // what big.Int does with so many digits is its own affair, and takes long
		types = slices.DeleteFunc(slices.Clone(intos), func(t reflect.Type) bool { return t == reflect.TypeFor[big.Int]() })
	}
	decode := func(types ...reflect.Type) func() {
		return func() {
			for _, into := range types {
				_ = c.Decode(data, reflect.New(into).Interface())
			}
		}
	}
	if allocated(allowance(data), decode(types...)) <= allowance(data) {
		return
	}
	for _, into := range types {
		if got := allocated(allowance(data), decode(into)); got > allowance(data) {
			t.Errorf("%s: %d bytes allocated for %d", into, got, len(data))
		}
	}
}

// shown is what the reads of a hostile input are compared with.
func shown(v any) string {
	switch v := v.(type) {
	case mixed:
		return plain(v.A).(string)
	case big.Int:
		return plain(v.BitLen()).(string) + " bits"
	case []any:
		return plain(len(v)).(string) + " values"
	default:
		s, _ := plain(v).(string)
		return s
	}
}

// FuzzScan: whatever scan accepts is one whole value by a reader that is written differently, and decoded into types of
// all kinds it takes no more memory than is allowed; nothing panics.
func FuzzScan(f *testing.F) {
	all := readVectors(f)
	for _, v := range all.Bodies {
		f.Add([]byte(v.Hex))
	}
	for _, v := range all.BodiesRefused {
		f.Add([]byte(v.Hex))
	}
	for _, tt := range hostile {
		f.Add([]byte(tt.data[:min(len(tt.data), 4<<10)])) // what is longer repeats itself; TestMsgpackHostile has it whole
	}
	c := Msgpack(Limits{})
	f.Fuzz(func(t *testing.T, data []byte) {
		before := string(data)
		got, err := scan(data, structure())
		if rest, ok := wellFormed(before, 1); (err == nil) != (ok && rest == "") {
			t.Errorf("%x: %v, but %t with %d bytes left", data, err, ok, len(rest))
		}
		if err == nil {
			if again, err := scan(got, structure()); err != nil || string(again) != string(got) {
				t.Errorf("%x became %x, and that %x, %v", data, got, again, err)
			}
		}
		wantLittle(t, c, data)
		if string(data) != before {
			t.Error("the input was changed")
		}
	})
}

// wellFormed takes one value off data, by recursion, and tells whether it could. It is as strict with ext and depth as
// scan is.
func wellFormed(data string, depth int) (rest string, ok bool) {
	take := func(n int) (out string, ok bool) {
		if n > len(data) {
			return "", false
		}
		out, data = data[:n], data[n:]
		return out, true
	}
	number := func(size int) (n int, ok bool) {
		b, ok := take(size)
		for _, c := range []byte(b) {
			n = n<<8 | int(c)
		}
		return n, ok
	}
	code, ok := take(1)
	if !ok {
		return data, false
	}
	c := int(code[0])
	values, size := 0, 0
	container := false
	switch {
	case c < 0x80 || c >= 0xe0 || c == 0xc0 || c == 0xc2 || c == 0xc3:
	case c < 0x90:
		values, container = 2*(c&15), true
	case c < 0xa0:
		values, container = c&15, true
	case c < 0xc0:
		size = c & 31
	case c >= 0xc4 && c <= 0xc6:
		size, ok = number(1 << (c - 0xc4))
	case c == 0xca || c == 0xcb:
		size = 4 * (c - 0xc9)
	case c >= 0xcc && c <= 0xd3:
		size = 1 << (c & 3)
	case c >= 0xd9 && c <= 0xdb:
		size, ok = number(1 << (c - 0xd9))
	case c == 0xdc || c == 0xdd:
		values, ok = number(2 * (c - 0xdb))
		container = true
	case c == 0xde || c == 0xdf:
		values, ok = number(2 * (c - 0xdd))
		values, container = 2*values, true
	case c == 0xd6, c == 0xd7, c == 0xc7:
		length := 4 * (c - 0xd5)
		if c == 0xc7 {
			if length, ok = number(1); !ok || length != 4 && length != 8 && length != 12 {
				return data, false
			}
		}
		id, got := take(1)
		body, whole := take(length)
		if !got || !whole || id != "\xff" {
			return data, false
		}
		_, nanos := timestampOf([]byte(body))
		return data, nanos < 1e9
	default:
		return data, false
	}
	if _, got := take(size); !ok || !got || container && depth > defaultDepth {
		return data, false
	}
	for range values {
		if data, ok = wellFormed(data, depth+1); !ok {
			return data, false
		}
	}
	return data, true
}
