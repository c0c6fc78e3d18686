package patterns

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"reflect"
	"strconv"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/patterns/internal/subject"
)

// The vectors were made by msgpack-python: what they say does not come from the code below test.
type vectors struct {
	Heads         []headVector `json:"heads"`
	HeadsRead     []headVector `json:"heads_read"`
	HeadsRefused  []vector     `json:"heads_refused"`
	Bodies        []bodyVector `json:"bodies"`
	BodiesRefused []vector     `json:"bodies_refused"`
	Messages      []struct {
		Name   string     `json:"name"`
		Frames []hexBytes `json:"frames"`
		ZMTP   hexBytes   `json:"zmtp"`
	} `json:"messages"`
	Matches []struct {
		Pattern string `json:"pattern"`
		Subject string `json:"subject"`
		Match   bool   `json:"match"`
	} `json:"matches"`
	Prefixes []struct {
		Pattern string `json:"pattern"`
		Prefix  string `json:"prefix"`
	} `json:"prefixes"`
	Subjects names `json:"subjects"`
	Patterns names `json:"patterns"`
}

type vector struct {
	Name string   `json:"name"`
	Hex  hexBytes `json:"hex"`
}

type headVector struct {
	vector

	Head map[string]any `json:"head"`
}

type bodyVector struct {
	vector

	Value any `json:"value"`
}

type names struct {
	Valid   []string `json:"valid"`
	Invalid []string `json:"invalid"`
}

type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

func readVectors(t testing.TB) vectors {
	t.Helper()
	f, err := os.Open("vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var v vectors
	d := json.NewDecoder(f)
	d.DisallowUnknownFields()
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestVectorsOfHeads(t *testing.T) {
	all := readVectors(t)
	for _, v := range all.Heads {
		t.Run(v.Name, func(t *testing.T) {
			want := headOf(t, v.Head)
			if got := want.AppendTo(nil); !bytes.Equal(got, v.Hex) {
				t.Errorf("appended\n%x; want\n%x", got, v.Hex)
			}
			wantHead(t, v.Hex, want)
			if err := want.Validate(); err != nil {
				t.Error(err)
			}
		})
	}
	for _, v := range all.HeadsRead {
		t.Run(v.Name, func(t *testing.T) { wantHead(t, v.Hex, headOf(t, v.Head)) })
	}
	for _, v := range all.HeadsRefused {
		t.Run("refused/"+v.Name, func(t *testing.T) {
			if h, err := ParseHead(v.Hex); !isHeadError(err) || !reflect.DeepEqual(h, Head{}) {
				t.Errorf("%x: got %+v, %v", v.Hex, h, err)
			}
		})
	}
}

func TestVectorsOfBodies(t *testing.T) {
	all := readVectors(t)
	c := Msgpack(Limits{})
	for _, v := range all.Bodies {
		t.Run(v.Name, func(t *testing.T) {
			want := goValue(t, v.Value)
			got, err := c.Append(nil, want)
			// A map goes in any order.
			if m, ok := want.(map[string]any); err != nil || (!ok || len(m) < 2) && !bytes.Equal(got, v.Hex) {
				t.Errorf("appended\n%x, %v; want\n%x", got, err, v.Hex)
			}
			var back any
			if err := c.Decode(v.Hex, &back); err != nil || !reflect.DeepEqual(plain(back), plain(want)) {
				t.Errorf("decoded %#v, %v; want %#v", plain(back), err, plain(want))
			}
		})
	}
	for _, v := range all.BodiesRefused {
		t.Run("refused/"+v.Name, func(t *testing.T) {
			var x any
			if err := c.Decode(v.Hex, &x); err == nil {
				t.Errorf("%x decoded to %#v", v.Hex, x)
			}
		})
	}
}

// A message is its frames, and what ZMTP makes of them is what WIRE.md counts.
func TestVectorsOfMessages(t *testing.T) {
	for _, m := range readVectors(t).Messages {
		t.Run(m.Name, func(t *testing.T) {
			var wire []byte
			for i, f := range m.Frames {
				more := byte(0)
				if i < len(m.Frames)-1 {
					more = 1
				}
				wire = append(append(wire, more, byte(len(f))), f...)
			}
			if !bytes.Equal(wire, m.ZMTP) {
				t.Errorf("%x; want %x", wire, m.ZMTP)
			}
		})
	}
}

func TestVectorsOfSubjects(t *testing.T) {
	all := readVectors(t)
	for _, v := range all.Matches {
		if got := subject.Match(v.Pattern, v.Subject); got != v.Match {
			t.Errorf("Match(%q, %q) is %t", v.Pattern, v.Subject, got)
		}
	}
	for _, v := range all.Prefixes {
		if got := subject.Prefix(v.Pattern); got != v.Prefix {
			t.Errorf("Prefix(%q) is %q, want %q", v.Pattern, got, v.Prefix)
		}
	}
	for _, s := range all.Subjects.Valid {
		if err := subject.Check(s); err != nil {
			t.Error(err)
		}
	}
	for _, s := range all.Subjects.Invalid {
		if subject.Check(s) == nil {
			t.Errorf("%q is a subject", s)
		}
	}
	for _, s := range all.Patterns.Valid {
		if err := subject.CheckPattern(s); err != nil {
			t.Error(err)
		}
	}
	for _, s := range all.Patterns.Invalid {
		if subject.CheckPattern(s) == nil {
			t.Errorf("%q is a pattern", s)
		}
	}
}

// headOf makes a head of the keys that a vector has.
func headOf(t *testing.T, keys map[string]any) Head {
	t.Helper()
	var h Head
	for key, v := range keys {
		v := goValue(t, v)
		number := func() uint64 { n, _ := plain(v).(string); u, _ := strconv.ParseUint(n, 10, 64); return u }
		text := func() string { s, _ := v.(string); return s }
		switch key {
		case "v":
			h.Version = number()
		case "k":
			h.Kind = Kind(number())
		case "m":
			h.Method = text()
		case "d":
			h.Left = time.Duration(number()) * time.Millisecond
		case "c":
			h.Type = text()
		case "i":
			if h.Key = text(); h.Key == "" {
				h.Key = string(v.([]byte))
			}
		case "w":
			h.Window = number()
		case "e":
			h.Code = Code(text())
		case "t":
			h.Text = text()
		case "r":
			h.Retry = time.Duration(number()) * time.Millisecond
		case "f":
			h.NotBegun = number() == 1
		case "n":
			h.Seq = number()
		case "l":
			h.List = []uint64{}
			for _, x := range v.([]any) {
				n, _ := strconv.ParseUint(plain(x).(string), 10, 64)
				h.List = append(h.List, n)
			}
		case "a":
			h.Attempt = number()
		case "u":
			h.Delivery = number()
		case "p":
			copy(h.Origin[:], v.([]byte))
		case "s":
			h.Time = time.UnixMilli(int64(number()))
		case "x":
			h.Flags = number()
		case "h":
			h.Headers = Headers{}
			for name, x := range v.(map[string]any) {
				h.Headers[name] = x.(string)
			}
		default:
			t.Fatalf("a vector has the key %q", key)
		}
	}
	return h
}

// goValue turns what the JSON of a vector says into the value it stands for.
func goValue(t *testing.T, v any) any {
	t.Helper()
	number := func(s string) any {
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return n
		}
		if n, err := strconv.ParseUint(s, 10, 64); err == nil {
			return n
		}
		f, err := strconv.ParseFloat(s, 64)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	switch v := v.(type) {
	case json.Number:
		return number(v.String())
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = goValue(t, x)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, x := range v {
			switch key {
			case "$bin":
				b, err := hex.DecodeString(x.(string))
				if err != nil {
					t.Fatal(err)
				}
				return b
			case "$int":
				return number(x.(string))
			case "$float":
				f, _ := x.(json.Number).Float64()
				return f
			case "$time":
				at := goValue(t, x).([]any)
				return time.Unix(at[0].(int64), at[1].(int64))
			}
			out[key] = goValue(t, x)
		}
		return out
	}
	return v
}

// plain makes values comparable that differ only in the type of an integer or in a time's zone.
func plain(v any) any {
	r := reflect.ValueOf(v)
	switch x := v.(type) {
	case time.Time:
		return x.UTC()
	case float32, float64:
		return binary.BigEndian.AppendUint64(nil, math.Float64bits(r.Float()))
	case []any:
		out := make([]any, len(x))
		for i := range x {
			out[i] = plain(x[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(x))
		for key := range x {
			out[key] = plain(x[key])
		}
		return out
	}
	switch {
	case r.CanInt():
		return strconv.FormatInt(r.Int(), 10)
	case r.CanUint():
		return strconv.FormatUint(r.Uint(), 10)
	}
	return v
}
