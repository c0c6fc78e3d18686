package zmtp

import (
	"errors"
	"strings"
	"testing"
)

func TestErrorBytes(t *testing.T) {
	long := strings.Repeat("r", 255)
	for _, tt := range []struct {
		name, reason string
		want         []byte
	}{
		{"as libzmq sends it", "400", wire("04 0A 05 'ERROR' 03 '400'")},
		{"no reason", "", wire("04 07 05 'ERROR' 00")},
		{"longest", long, join(wire("06 00 00 00 00 00 00 01 06 05 'ERROR' FF"), []byte(long))},
		{"cut", long + "x", join(wire("06 00 00 00 00 00 00 01 06 05 'ERROR' FF"), []byte(long))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := AppendError(nil, tt.reason)
			wantBytes(t, got, tt.want)
			wantKeepsPrefix(t, func(b []byte) []byte { return AppendError(b, tt.reason) })
			_, n, _ := ParseHeader(got)
			name, data, err := ParseCommand(got[n:])
			wantError(t, err, nil)
			reason, err := ParseError(data)
			wantError(t, err, nil)
			if name != CommandError || reason != tt.reason[:min(len(tt.reason), 255)] {
				t.Errorf("parsed back %q %q", name, reason)
			}
		})
	}
}

func TestParseError(t *testing.T) {
	for _, tt := range []struct {
		name, data string
		want       string
		err        error
	}{
		{"good", "03 '500'", "500", nil},
		{"empty reason", "00", "", nil},
		{"no length", "", "", ErrMalformed},
		{"reason past the end", "04 '500'", "", ErrMalformed},
		{"length 255 of nothing", "FF", "", ErrMalformed},
		{"bytes left over", "02 '500'", "", ErrMalformed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			reason, err := ParseError(wire(tt.data))
			wantError(t, err, tt.err)
			if reason != tt.want {
				t.Errorf("got %q; want %q", reason, tt.want)
			}
		})
	}
}

func TestRefusedErrorQuotesItsReason(t *testing.T) {
	var err error = &RefusedError{Reason: "400\nforged line"}
	wantError(t, err, ErrRefused, `"400\nforged line"`)
	if refused, ok := errors.AsType[*RefusedError](err); !ok || refused.Reason != "400\nforged line" {
		t.Errorf("reason lost in %v", err)
	}
}
