package zmtp

import (
	"math"
	"testing"
	"time"
)

func TestPingBytes(t *testing.T) {
	for _, tt := range []struct {
		name    string
		ttl     time.Duration
		context string
		want    string
	}{
		{"as libzmq sends it", 0, "", "04 07 04 'PING' 00 00"},
		{"one second", time.Second, "", "04 07 04 'PING' 00 0A"},
		{"with context", 2 * time.Second, "ctx", "04 0A 04 'PING' 00 14 'ctx'"},
		{"context of 16", 0, "0123456789abcdef", "04 17 04 'PING' 00 00 '0123456789abcdef'"},
		{"context cut to 16", 0, "0123456789abcdefg", "04 17 04 'PING' 00 00 '0123456789abcdef'"},
		{"short TTL is not none", 1, "", "04 07 04 'PING' 00 01"},
		{"rounded up", 101 * time.Millisecond, "", "04 07 04 'PING' 00 02"},
		{"exact tenth", 100 * time.Millisecond, "", "04 07 04 'PING' 00 01"},
		{"largest", MaxPingTTL, "", "04 07 04 'PING' 02 8F"},
		{"just below the largest", MaxPingTTL - 1, "", "04 07 04 'PING' 02 8F"},
		{"clipped", MaxPingTTL + 1, "", "04 07 04 'PING' 02 8F"},
		{"clipped hour", time.Hour, "", "04 07 04 'PING' 02 8F"},
		{"clipped, no overflow", math.MaxInt64, "", "04 07 04 'PING' 02 8F"},
		{"negative", -time.Second, "", "04 07 04 'PING' 00 00"},
		{"most negative", math.MinInt64, "", "04 07 04 'PING' 00 00"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wantBytes(t, AppendPing(nil, tt.ttl, []byte(tt.context)), wire(tt.want))
			wantKeepsPrefix(t, func(b []byte) []byte { return AppendPing(b, tt.ttl, []byte(tt.context)) })
		})
	}
}

func TestParsePing(t *testing.T) {
	for _, tt := range []struct {
		name    string
		data    string
		ttl     time.Duration
		context string
		err     error
	}{
		{"no TTL wanted", "00 00", 0, "", nil},
		{"one second", "00 0A", time.Second, "", nil},
		{"context", "00 01 'ctx'", 100 * time.Millisecond, "ctx", nil},
		{"TTL above what libzmq can count", "02 90", 65600 * time.Millisecond, "", nil},
		{"largest TTL", "FF FF", 6553500 * time.Millisecond, "", nil},
		{"context of 16", "00 00 '0123456789abcdef'", 0, "0123456789abcdef", nil},
		{"context of 17 is cut", "00 00 '0123456789abcdefg'", 0, "0123456789abcdef", nil},
		{"empty", "", 0, "", ErrMalformed},
		{"half a TTL", "00", 0, "", ErrMalformed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ttl, context, err := ParsePing(wire(tt.data))
			wantError(t, err, tt.err)
			if ttl != tt.ttl || string(context) != tt.context {
				t.Errorf("got %v, %q; want %v, %q", ttl, context, tt.ttl, tt.context)
			}
		})
	}
}
