package zmtp

import (
	"math"
	"testing"
	"time"
)

const (
	sixteenA = "'AAAAAAAAAAAAAAAA'"
	sixteenB = "'BBBBBBBBBBBBBBBB'"
)

func sixteen(b byte) (id [16]byte) {
	for i := range id {
		id[i] = b
	}
	return id
}

func TestYodelBytes(t *testing.T) {
	for _, tt := range []struct {
		name string
		y    Yodel
		want string
	}{
		{"nothing", Yodel{}, "01 00000000 00000000000000000000000000000000 00000000 00000000000000000000000000000000"},
		{
			"all",
			Yodel{FeatureReliable, sixteen('A'), 15 * time.Second, sixteen('B'), [8]byte{}},
			"01 00000001 " + sixteenA + " 00003A98 " + sixteenB,
		},
		{
			"heartbeat rounded up",
			Yodel{0, sixteen('A'), time.Microsecond, sixteen('B'), [8]byte{}},
			"01 00000000 " + sixteenA + " 00000001 " + sixteenB,
		},
		{
			"heartbeat that does not fit",
			Yodel{0, sixteen('A'), math.MaxInt64, sixteen('B'), [8]byte{}},
			"01 00000000 " + sixteenA + " FFFFFFFF " + sixteenB,
		},
		{
			"negative heartbeat",
			Yodel{0, sixteen('A'), -1, sixteen('B'), [8]byte{}},
			"01 00000000 " + sixteenA + " 00000000 " + sixteenB,
		},
		{
			"of an endpoint",
			Yodel{FeatureReliable, sixteen('A'), 0, sixteen('B'), [8]byte([]byte("CCCCCCCC"))},
			"01 00000001 " + sixteenA + " 00000000 " + sixteenB + " 'CCCCCCCC'",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wantBytes(t, AppendYodel(nil, &tt.y), wire(tt.want))
			wantKeepsPrefix(t, func(b []byte) []byte { return AppendYodel(b, &tt.y) })
		})
	}
}

func TestParseYodel(t *testing.T) {
	a, b, none := sixteen('A'), sixteen('B'), [8]byte{}
	for _, tt := range []struct {
		name string
		v    string
		want Yodel
		err  error
	}{
		{
			"all", "01 00000001 " + sixteenA + " 00003A98 " + sixteenB,
			Yodel{FeatureReliable, a, 15 * time.Second, b, none},
			nil,
		},
		{"without a receiver", "01 00000000 " + sixteenA + " 00003A98", Yodel{0, a, 15 * time.Second, [16]byte{}, none}, nil},
		{
			"a feature that needs a receiver, without one", "01 0000000F " + sixteenA + " 00000000",
			Yodel{8, a, 0, [16]byte{}, none},
			nil,
		},
		{"half a receiver", "01 00000001 " + sixteenA + " 00000000 'BBBB'", Yodel{0, a, 0, [16]byte{}, none}, nil},
		{
			"of a later version", "09 80000001 " + sixteenA + " 00000001 " + sixteenB + " 'later'",
			Yodel{FeatureReliable | 1<<31, a, time.Millisecond, b, none},
			nil,
		},
		{
			"of an endpoint", "01 00000001 " + sixteenA + " 00000000 " + sixteenB + " 'CCCCCCCC' 'later'",
			Yodel{FeatureReliable, a, 0, b, [8]byte([]byte("CCCCCCCC"))},
			nil,
		},
		{"empty", "", Yodel{}, ErrMalformed},
		{"too short", "01 00000001 " + sixteenA + " 000000", Yodel{}, ErrMalformed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			y, err := ParseYodel(wire(tt.v))
			wantError(t, err, tt.err)
			if y != tt.want {
				t.Errorf("got %+v, want %+v", y, tt.want)
			}
		})
	}
}

func TestFeatures(t *testing.T) {
	if f := FeatureReliable | 1<<31; !f.Has(FeatureReliable) || f.Has(FeatureReliable|2) || !f.Has(0) {
		t.Errorf("%b", f)
	}
}
