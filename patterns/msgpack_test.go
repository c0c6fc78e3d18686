package patterns

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math/big"
	"net/netip"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vmihailenco/msgpack/v5"
)

type tagged struct {
	A    int `json:"not" msgpack:"a"`
	B    int `json:"b"`
	C    int
	Skip int `json:"-"`
	Gone int `json:"gone,omitempty"`
	no   int
}

type point struct{ X, Y float64 }

type embedding struct {
	point
	Point point
	Name  string
}

func TestMsgpackBytes(t *testing.T) {
	day := time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name string
		v    any
		want string // hex
	}{
		{"nil", nil, "c0"},
		{"nil pointer", (*tagged)(nil), "c0"},
		{"tags", tagged{A: 1, B: 2, C: 3, Skip: 4, no: 5}, "83 a161 01 a162 02 a143 03"},
		{"pointer", &tagged{Gone: 1}, "84 a161 00 a162 00 a143 00 a4676f6e65 01"},
		{"int", 70_000, "ce00011170"},
		{"int64 that is small", int64(5), "05"},
		{"uint8", uint8(200), "ccc8"},
		{"float that is whole", 100.0, "cb4059000000000000"},
		{"float32", float32(1), "ca3f800000"},
		{"bytes", []byte("ab"), "c4026162"},
		{"text", "ab", "a26162"},
		{"time", day, "d6ff6b0cbc80"},
		{"duration", time.Second, "ce3b9aca00"},
		{"text of a type's own", netip.MustParseAddr("::1"), "c410" + strings.Repeat("00", 15) + "01"},
		{"embedded", embedding{point: point{X: 1}, Name: "n"}, "84 a158 cb3ff0000000000000 a159 cb0000000000000000 " +
			"a5506f696e74 82a158cb0000000000000000a159cb0000000000000000 a44e616d65 a16e"},
		{"empty struct", struct{}{}, "80"},
		{"nil slice", []string(nil), "c0"},
		{"empty slice", []string{}, "90"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Msgpack(Limits{}).Append([]byte("before"), tt.v)
			want, _ := hex.DecodeString(strings.ReplaceAll(tt.want, " ", ""))
			if err != nil || string(got) != "before"+string(want) {
				t.Errorf("%x, %v; want %x", got, err, want)
			}
		})
	}
}

func TestMsgpackRoundTrip(t *testing.T) {
	when := time.Unix(1_700_000_000, 0x20400000).UTC() // a timestamp that begins like a map
	for _, v := range []any{
		true, 5, int8(-5), uint64(1 << 63), 1.5, float32(1.5), "text", []byte("bytes"), time.Second,
		[]int{1, 2},
		[]string{"a"},
		[2]bool{true, false},
		[3]byte{1, 2, 3},
		map[string]int{"a": 1},
		map[int]string{1: "a"},
		map[string]any{"a": "b"},
		struct{}{},
		point{1, 2},
		[]point{{1, 2}, {3, 4}},
		&point{1, 2},
		map[string]*point{"a": {1, 2}},
		tagged{A: 1, B: 2, C: 3},
		embedding{point{1, 2}, point{3, 4}, "n"},
		big.NewInt(1 << 40), netip.MustParseAddr("10.0.0.1"),
		table{Lines: []row{{Line: "l", Next: &row{A: 1}}}, Text: "t", Data: []byte("d")},
		msgpack.RawMessage("\x93\x01\x02\x03"),
	} {
		t.Run(reflect.TypeOf(v).String(), func(t *testing.T) {
			c := Msgpack(Limits{})
			for range 2 { // with fresh objects, and with those that were used
				data, err := c.Append(nil, v)
				if err != nil {
					t.Fatal(err)
				}
				got := reflect.New(reflect.TypeOf(v))
				if err := c.Decode(data, got.Interface()); err != nil || !reflect.DeepEqual(got.Elem().Interface(), v) {
					t.Fatalf("%x: %+v, %v; want %+v", data, got.Elem(), err, v)
				}
			}
		})
	}
	c := Msgpack(Limits{})
	data, err := c.Append(nil, when)
	var got time.Time
	if err == nil {
		err = c.Decode(data, &got)
	}
	if err != nil || !got.Equal(when) {
		t.Errorf("%v, %v; want %v", got, err, when)
	}
}

// No body is nil, and so is a body that is nil: the value is zero then, whatever it was.
func TestMissingBody(t *testing.T) {
	for _, c := range []Codec{Msgpack(Limits{}), JSON()} {
		for _, v := range []any{5, "text", []byte("b"), time.Now(), point{1, 2}, map[string]int{"a": 1}, &point{1, 2}} {
			into := reflect.New(reflect.TypeOf(v))
			for _, data := range []string{"", "\xc0"} {
				into.Elem().Set(reflect.ValueOf(v))
				if data != "" && c.Type() != "" {
					continue
				}
				if err := c.Decode([]byte(data), into.Interface()); err != nil || !into.Elem().IsZero() {
					t.Errorf("%q, %T from %x: %v, %v", c.Type(), v, data, into.Elem(), err)
				}
			}
		}
	}
}

// What other languages send that has no place in the type, or one of another kind.
func TestMsgpackForeign(t *testing.T) {
	for _, tt := range []struct {
		name, data string
		want       any // nil if it is an error
	}{
		{"unknown fields", "\x83\xa1X\x01\xa1Q\x92\x01\x80\xa1Y\xc0", point{X: 1}},
		{"integers for floats", "\x82\xa1X\x05\xa1Y\xff", point{5, -1}},
		{"fields in an array", "\x92\x01\x02", point{1, 2}},
		{"too few in an array", "\x91\x01", nil},
		{"text for a float", "\x81\xa1X\xa11", nil},
		{"a number for a field's name", "\x81\x01\x02", nil},
		{"a number", "\x05", nil},
		{"bytes for text", "\x81\xa4Name\xc4\x01n", embedding{Name: "n"}},
		{"text for bytes", "\x81\xa4Data\xa1d", table{Data: []byte("d")}},
		{"nil for text", "\x81\xa4Text\xc0", table{}},
		{"nil for a time", "\x81\xa4When\xc0", nil},
		{"an array that is too long", "\x93\x01\x02\x03", nil},
		{"time as text", "\x81\xa4When\xb42026-11-30T00:00:00Z", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			into := reflect.New(reflect.TypeFor[point]())
			if tt.want != nil {
				into = reflect.New(reflect.TypeOf(tt.want))
			} else if strings.Contains(tt.data, "When") {
				into = reflect.New(reflect.TypeFor[mixed]())
			}
			err := Msgpack(Limits{}).Decode([]byte(tt.data), into.Interface())
			if (err == nil) != (tt.want != nil) || err == nil && !reflect.DeepEqual(into.Elem().Interface(), tt.want) {
				t.Errorf("%+v, %v; want %+v", into.Elem(), err, tt.want)
			}
			if err != nil && !strings.HasPrefix(err.Error(), "patterns: msgpack: ") {
				t.Error(err)
			}
		})
	}
}

func TestMsgpackInterface(t *testing.T) {
	for data, want := range map[string]any{
		"\x05": int8(5), "\xcd\x13\x88": uint16(5000), "\xcb\x40\x59\x00\x00\x00\x00\x00\x00": 100.0, "\xa1a": "a",
		"\xc4\x01a": []byte("a"),
		"\x91\xc3":  []any{true}, "\x81\xa1a\xc0": map[string]any{"a": nil}, "\xc0": nil,
	} {
		var got any
		if err := Msgpack(Limits{}).Decode([]byte(data), &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%x: %#v, %v; want %#v", data, got, err, want)
		}
	}
}

type (
	pointed  struct{ *point }
	deep     struct{ Inner []map[string]pointed }
	interned struct {
		Name string `msgpack:",intern"`
	}
	panics  struct{ A int }
	ofPanic struct{ P panics }
)

func (panics) MarshalMsgpack() ([]byte, error) { panic("marshal") }
func (*panics) UnmarshalMsgpack([]byte) error  { panic(errors.New("unmarshal")) }
func (panics) MarshalJSON() ([]byte, error)    { panic("marshal") }
func (*panics) UnmarshalJSON([]byte) error     { panic(errors.New("unmarshal")) }

// Types that the library handles with harm are refused, to send and to receive; a panic becomes an error.
func TestMsgpackRefusesTypes(t *testing.T) {
	c := Msgpack(Limits{})
	for _, tt := range []struct {
		v    any
		word string
	}{
		{pointed{}, "a pointer cannot be embedded"},
		{deep{}, "a pointer cannot be embedded"},
		{&pointed{}, "a pointer cannot be embedded"},
		{interned{}, "interned strings"},
		{ofPanic{}, "panic: "},
		{make(chan int), "unsupported"},
		{func() {}, "unsupported"},
	} {
		got, err := c.Append([]byte("dst"), tt.v)
		if err == nil || !strings.Contains(err.Error(), tt.word) || string(got) != "dst" {
			t.Errorf("append %T: %q, %v; want %q", tt.v, got, err, tt.word)
		}
		err = c.Decode([]byte("\x81\xa1P\x01"), reflect.New(reflect.TypeOf(tt.v)).Interface())
		if err == nil || !strings.Contains(err.Error(), tt.word) {
			t.Errorf("decode %T: %v; want %q", tt.v, err, tt.word)
		}
	}
	var p ofPanic
	if err := JSON().Decode([]byte(`{"P":1}`), &p); err == nil || !strings.Contains(err.Error(), "panic: unmarshal") {
		t.Error(err)
	}
	if got, err := JSON().Append([]byte("dst"), p); err == nil || string(got) != "dst" {
		t.Errorf("%q, %v", got, err)
	}
	// After an error the codec works as before.
	if data, err := c.Append(nil, 1); err != nil || string(data) != "\x01" {
		t.Errorf("%x, %v", data, err)
	}
}

func TestDecodeTargets(t *testing.T) {
	for _, c := range []Codec{Msgpack(Limits{}), JSON(), Bytes()} {
		for _, v := range []any{nil, 5, point{}, (*point)(nil), (*Raw)(nil)} {
			if err := c.Decode([]byte("1"), v); !errors.Is(err, errTarget) {
				t.Errorf("%q into %T: %v", c.Type(), v, err)
			}
		}
	}
}

func TestMsgpackLimits(t *testing.T) {
	nested := bytes.Repeat([]byte{0x91}, 64)
	nested[63] = 0x90
	for _, tt := range []struct {
		name   string
		limits Limits
		data   string
		into   reflect.Type
		ok     bool
	}{
		{"depth of 64", Limits{}, string(nested), reflect.TypeFor[any](), true},
		{"depth of 65", Limits{}, "\x91" + string(nested), reflect.TypeFor[any](), false},
		{"depth of 65 when asked for", Limits{Depth: 65}, "\x91" + string(nested), reflect.TypeFor[any](), true},
		{"depth of 2 when 1 is asked for", Limits{Depth: 1}, "\x91\x90", reflect.TypeFor[any](), false},
		{"elements as asked for", Limits{Elements: 2}, "\x92\x01\x02", reflect.TypeFor[[]int](), true},
		{"one more", Limits{Elements: 2}, "\x93\x01\x02\x03", reflect.TypeFor[[]int](), false},
		{"memory as asked for", Limits{Memory: 32}, "\x92\x01\x02", reflect.TypeFor[[]int64](), true},
		{"one element more", Limits{Memory: 32}, "\x93\x01\x02\x03", reflect.TypeFor[[]int64](), false},
		{"below 0 is the default", Limits{-1, -1, -1}, string(nested), reflect.TypeFor[any](), true},
		{
			"depth of more than 10,000",
			Limits{Depth: 1 << 30},
			strings.Repeat("\x91", 10_000) + "\x90",
			reflect.TypeFor[any](), false,
		},
		{"depth of 10,000", Limits{Depth: 1 << 30}, strings.Repeat("\x91", 9_999) + "\x90", reflect.TypeFor[any](), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := Msgpack(tt.limits).Decode([]byte(tt.data), reflect.New(tt.into).Interface())
			if (err == nil) != tt.ok {
				t.Error(err)
			}
		})
	}
}

// What is announced costs what the type makes of it, so the same body may be too much for one type only.
func TestMsgpackPlans(t *testing.T) {
	word := uint64(reflect.TypeFor[int]().Size())
	for _, tt := range []struct {
		t    reflect.Type
		want plan
	}{
		{reflect.TypeFor[int](), plan{}},
		{reflect.TypeFor[[]byte](), plan{}},
		{reflect.TypeFor[time.Time](), plan{}},
		{reflect.TypeFor[big.Int](), plan{}},
		{reflect.TypeFor[[]int](), plan{element: 2 * word}},
		{reflect.TypeFor[*[][4]int](), plan{element: 2*4*word + 3*word, entry: 2 * 3 * word}},
		{reflect.TypeFor[map[string]bool](), plan{table: 48 + 8*(2*word+2), entry: 3*(2*word+2) + 2*word + 1}},
		{reflect.TypeFor[struct {
			Skip []row `msgpack:"-"`
			also []row
			A    []int8
		}](), plan{element: 2}},
	} {
		if got, err := planFor(tt.t); err != nil || got != tt.want {
			t.Errorf("%s: %+v, %v; want %+v", tt.t, got, err, tt.want)
		}
	}
	for _, of := range []reflect.Type{reflect.TypeFor[tree](), reflect.TypeFor[linked](), reflect.TypeFor[mixed]()} {
		if _, err := planFor(of); err != nil {
			t.Error(err)
		}
	}
}

func TestCodecsAreSafeForConcurrentUse(t *testing.T) {
	for _, c := range []Codec{Msgpack(Limits{}), JSON()} {
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for range 100 {
					in := table{Text: strings.Repeat("t", i), Lines: make([]row, i+1), Data: []byte{1}}
					data, err := c.Append(nil, in)
					var out table
					if err == nil {
						err = c.Decode(data, &out)
					}
					if err != nil || !reflect.DeepEqual(in, out) {
						t.Errorf("%v", err)
						return
					}
				}
			})
		}
		wg.Wait()
	}
}

// What was decoded is not part of what was received, which is used again.
func TestDecodeKeepsNothing(t *testing.T) {
	type all struct {
		Text  string
		Bytes []byte
		Any   any
		List  []string
	}
	in := all{"text", []byte("bytes"), "any", []string{"list"}}
	for _, c := range []Codec{Msgpack(Limits{}), JSON()} {
		data, err := c.Append(nil, in)
		if err != nil {
			t.Fatal(err)
		}
		var out all
		var raw Raw
		if err := errors.Join(c.Decode(data, &out), c.Decode(data, &raw)); err != nil {
			t.Fatal(err)
		}
		want := string(data)
		clear(data)
		if !reflect.DeepEqual(in, out) || string(raw.Data) != want {
			t.Errorf("%+v, %q", out, raw.Data)
		}
	}
	data := []byte("bytes")
	var b []byte
	var s string
	var a any
	if err := errors.Join(Bytes().Decode(data, &b), Bytes().Decode(data, &s), Bytes().Decode(data, &a)); err != nil {
		t.Fatal(err)
	}
	clear(data)
	if string(b) != "bytes" || s != "bytes" || !reflect.DeepEqual(a, []byte("bytes")) {
		t.Errorf("%q, %q, %q", b, s, a)
	}
}
