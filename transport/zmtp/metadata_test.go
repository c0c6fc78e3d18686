package zmtp

import (
	"bytes"
	"strings"
	"testing"
)

func TestMetadataBytes(t *testing.T) {
	name255 := strings.Repeat("n", 255)
	for _, tt := range []struct {
		name string
		m    Metadata
		want []byte
	}{
		{"none", nil, nil},
		{"one", Metadata{{"Socket-Type", []byte("REP")}}, wire("0B 'Socket-Type' 00 00 00 03 'REP'")},
		{"empty value", Metadata{{"Identity", nil}}, wire("08 'Identity' 00 00 00 00")},
		{"two in order", Metadata{{"B", []byte{1}}, {"A", []byte{2}}}, wire("01 'B' 00 00 00 01 01 01 'A' 00 00 00 01 02")},
		{
			"same name twice", Metadata{{"A", []byte{1}}, {"A", []byte{2}}}, wire("01 'A' 00 00 00 01 01 01 'A' 00 00 00 01 02"),
		},
		{"longest name", Metadata{{name255, []byte{1}}}, join(wire("FF"), []byte(name255), wire("00 00 00 01 01"))},
		{"value of 256", Metadata{{"A", make([]byte, 256)}}, join(wire("01 'A' 00 00 01 00"), make([]byte, 256))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := AppendMetadata(nil, tt.m)
			wantBytes(t, got, tt.want)
			wantKeepsPrefix(t, func(b []byte) []byte { return AppendMetadata(b, tt.m) })
			if n := tt.m.size(); n != len(got) {
				t.Errorf("size is %d; want %d", n, len(got))
			}
			back, err := ParseMetadata(got)
			wantError(t, err, nil)
			if !sameMetadata(back, tt.m) {
				t.Errorf("parsed back %v; want %v", back, tt.m)
			}
			wantError(t, tt.m.Validate(), nil)
		})
	}
}

func TestParseMetadataHostile(t *testing.T) {
	for _, tt := range []struct {
		name, b string
		words   []string
	}{
		{"empty name", "00 00 00 00 00", []string{"empty name", "property 0"}},
		{"name length only", "05", []string{"5 bytes", "0 are left"}},
		{"name past the end", "05 'abcd'", []string{"5 bytes", "4 are left"}},
		{"name of 255 past the end", "FF 'abcd'", []string{"255 bytes"}},
		{"no value length", "01 'A'", []string{"0 are left"}},
		{"value length cut short", "01 'A' 00 00 00", []string{"3 are left"}},
		{"value cut short", "01 'A' 00 00 00 02 01", []string{"2 bytes", "1 are left"}},
		{"value of 2^31-1", "01 'A' 7F FF FF FF 01", []string{"2147483647 bytes"}},
		{"value of 2^31", "01 'A' 80 00 00 00 01", []string{"2147483648 bytes"}},
		{"value of 2^32-1", "01 'A' FF FF FF FF", []string{"4294967295 bytes"}},
		{"a byte left over", "01 'A' 00 00 00 01 01 00", []string{"property 1 at byte 7", "empty name"}},
		{"second cut short", "01 'A' 00 00 00 00 01 'B' 00 00", []string{"property 1"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, err := ParseMetadata(wire(tt.b))
			wantError(t, err, ErrMalformed, tt.words...)
			if m != nil {
				t.Errorf("got %v along with the error", m)
			}
		})
	}
	t.Run("every truncation of two properties", func(t *testing.T) {
		whole := readyDealer[8:]
		for k := range len(whole) {
			m, err := ParseMetadata(whole[:k])
			// Between two properties the end is a proper one.
			if k == 0 || k == 22 {
				wantError(t, err, nil)
			} else if err == nil {
				t.Errorf("%d of %d bytes parsed as %v", k, len(whole), m)
			}
		}
	})
}

func TestParseMetadataCopies(t *testing.T) {
	b := bytes.Clone(readyDealer[8:])
	m, err := ParseMetadata(b)
	wantError(t, err, nil)
	clear(b)
	if v, ok := m.Get("Socket-Type"); !ok || string(v) != "DEALER" {
		t.Errorf("the read buffer shines through: %q, %v", v, ok)
	}
}

func TestMetadataGet(t *testing.T) {
	m := Metadata{{"Socket-Type", []byte("PUB")}, {"x-yodel", []byte("1")}, {"X-Yodel", []byte("2")}, {"Identity", nil}}
	for _, tt := range []struct {
		name, want string
		ok         bool
	}{
		{"Socket-Type", "PUB", true},
		{"socket-type", "PUB", true},
		{"SOCKET-TYPE", "PUB", true},
		{"X-YODEL", "1", true},
		{"Identity", "", true},
		{"Resource", "", false},
		{"", "", false},
		{"Soc\u212aet-Type", "", false}, // the Kelvin sign folds to k in Unicode
		{"Socket\rType", "", false},     // - with bit 5 cleared
	} {
		t.Run(tt.name, func(t *testing.T) {
			v, ok := m.Get(tt.name)
			if string(v) != tt.want || ok != tt.ok {
				t.Errorf("got %q, %v; want %q, %v", v, ok, tt.want, tt.ok)
			}
		})
	}
	t.Run("Kelvin sign from a peer", func(t *testing.T) {
		m := Metadata{{"Soc\u212aet-Type", []byte("PUB")}}
		if _, ok := m.Get("Socket-Type"); ok {
			t.Error("a name outside ASCII was taken for Socket-Type")
		}
	})
}

func TestMetadataValidate(t *testing.T) {
	for _, tt := range []struct{ name, property string }{
		{"empty", ""},
		{"256 bytes", strings.Repeat("n", 256)},
		{"space", "X A"},
		{"zero byte", "X\x00"},
		{"not ASCII", "X-Ä"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wantError(t, Metadata{{"X-Good", nil}, {tt.property, nil}}.Validate(), ErrConfig, "property 1")
		})
	}
	for _, name := range []string{"", strings.Repeat("n", 256)} {
		t.Run("what would corrupt the stream panics", func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Errorf("no panic for a name of %d bytes", len(name))
				}
			}()
			AppendMetadata(nil, Metadata{{name, nil}})
		})
	}
}

// TestHandshakeManyProperties: metadata costs about what it weighs, however many properties it is cut into.
func TestHandshakeManyProperties(t *testing.T) {
	ready := func(n int) []byte {
		m := Metadata{{PropertySocketType, []byte("PUSH")}}
		for range n - 1 {
			m = append(m, Property{"a", nil})
		}
		return AppendReady(nil, m)
	}
	for _, tt := range []struct {
		name     string
		limit, n int
		err      error
	}{
		{"as many as the default has room for", 0, 64, nil},
		{"one more", 0, 65, ErrTooLarge},
		{"all that 4 KiB hold", 0, 588, ErrTooLarge},
		{"a small limit", 256, 16, nil},
		{"a small limit, one more", 256, 17, ErrTooLarge},
		{"a large limit", 64 << 10, 1024, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := bytes.NewReader(join(greetingNull, ready(tt.n)))
			_, err := Handshake(t.Context(), &script{in: in}, Config{SocketType: Pull, MaxMetadata: tt.limit})
			wantError(t, err, tt.err)
		})
	}
}
