package patterns

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

type (
	blob []byte
	word string
)

func TestBytes(t *testing.T) {
	text := "text"
	for _, v := range []any{
		[]byte("text"), "text", blob("text"), word("text"), &text,
		Raw{Data: []byte("text"), Type: "image/png"},
		&Raw{Data: []byte("text")},
	} {
		if got, err := Bytes().Append([]byte("before "), v); err != nil || string(got) != "before text" {
			t.Errorf("%T: %q, %v", v, got, err)
		}
	}
	for _, v := range []any{nil, (*string)(nil), "", []byte(nil), Raw{}} {
		if got, err := Bytes().Append([]byte("before"), v); err != nil || string(got) != "before" {
			t.Errorf("%T: %q, %v", v, got, err)
		}
	}
	for _, v := range []any{5, point{}, []string{"a"}, true, map[string]string{}} {
		if got, err := Bytes().Append([]byte("before"), v); err == nil || string(got) != "before" {
			t.Errorf("%T: %q", v, got)
		}
	}
	for _, want := range []any{[]byte("text"), "text", blob("text"), word("text"), &text} {
		into := reflect.New(reflect.TypeOf(want))
		err := Bytes().Decode([]byte("text"), into.Interface())
		if err != nil || !reflect.DeepEqual(into.Elem().Interface(), want) {
			t.Errorf("%T: %v, %v", want, into.Elem(), err)
		}
		if err := Bytes().Decode(nil, into.Interface()); err != nil || !into.Elem().IsZero() {
			t.Errorf("%T from nothing: %v, %v", want, into.Elem(), err)
		}
	}
	for _, v := range []any{5, point{}, []string{"a"}, &point{}} {
		if err := Bytes().Decode([]byte("text"), reflect.New(reflect.TypeOf(v)).Interface()); err == nil {
			t.Errorf("decoded into %T", v)
		}
	}
}

// JSON is that of encoding/json, errors included.
func TestJSON(t *testing.T) {
	for _, v := range []any{
		nil, 5, "a<b", []byte("b"), point{1, 2}, tagged{A: 1}, map[string]any{"z": 1, "a": nil}, json.RawMessage(`[1]`),
	} {
		want, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := JSON().Append([]byte("before"), v); err != nil || string(got) != "before"+string(want) {
			t.Errorf("%s, %v; want %s", got, err, want)
		}
	}
	for _, data := range []string{"{", "5 5", `{"not":"text"}`, `{"not":1e9999}`, "nul"} {
		var got, want tagged
		err, wanted := JSON().Decode([]byte(data), &got), json.Unmarshal([]byte(data), &want)
		if err == nil || err.Error() != "patterns: json: "+wanted.Error() {
			t.Errorf("%s: %v; want %v", data, err, wanted)
		}
	}
	var small struct{ A int8 }
	if err := JSON().Decode([]byte(`{"A":300}`), &small); err == nil {
		t.Errorf("300 is %d", small.A)
	}
	if _, err := JSON().Append(nil, make(chan int)); err == nil {
		t.Error("a channel was encoded")
	}
}

func TestRaw(t *testing.T) {
	for _, c := range []Codec{Msgpack(Limits{}), JSON(), Bytes()} {
		var r Raw
		if err := c.Decode([]byte("5"), &r); err != nil || r.Type != c.Type() || string(r.Data) != "5" {
			t.Errorf("%q: %+v, %v", c.Type(), r, err)
		}
		for _, v := range []any{r, &r} {
			if got, err := c.Append([]byte("before "), v); err != nil || string(got) != "before 5" {
				t.Errorf("%q: %q, %v", c.Type(), got, err)
			}
		}
		r.Type = "application/xml"
		got, err := c.Append([]byte("before "), r)
		if c.Type() == "bytes" { // which passes everything
			continue
		}
		if err == nil || string(got) != "before " || !strings.Contains(err.Error(), `"application/xml"`) {
			t.Errorf("%q: %q, %v", c.Type(), got, err)
		}
	}
}

// reversed is a codec of a user's own.
type reversed struct{ Codec }

func (reversed) Type() string { return "text/reversed" }

func (reversed) Decode(data []byte, v any) error {
	b := []byte{}
	for _, c := range data {
		b = append([]byte{c}, b...)
	}
	return Bytes().Decode(b, v)
}

func TestDecode(t *testing.T) {
	for _, tt := range []struct {
		raw  Raw
		more []Codec
		want string // "" if it is an error
	}{
		{Raw{Data: []byte("\xa2ab")}, nil, "ab"},
		{Raw{Type: "json", Data: []byte(`"ab"`)}, nil, "ab"},
		{Raw{Type: "bytes", Data: []byte("ab")}, nil, "ab"},
		{Raw{Type: "text/reversed", Data: []byte("ab")}, nil, ""},
		{Raw{Type: "text/reversed", Data: []byte("ab")}, []Codec{nil, JSON(), reversed{}}, "ba"},
		{Raw{Type: "text/reversed", Data: []byte("ab"), codec: reversed{}}, nil, "ba"},
		{Raw{Type: "bytes", Data: []byte("ab"), codec: reversed{}}, nil, "ab"},
		{Raw{Type: "json", Data: []byte("ab")}, nil, ""},
	} {
		got, err := Decode[string](tt.raw, tt.more...)
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%+v: %q, %v; want %q", tt.raw, got, err, tt.want)
		}
	}
	// What was received with limits is decoded within them.
	var r Raw
	if err := Msgpack(Limits{Depth: 1}).Decode([]byte("\x91\x90"), &r); err != nil {
		t.Fatal(err)
	}
	if v, err := Decode[any](r); err == nil {
		t.Errorf("decoded to %v", v)
	}
}
