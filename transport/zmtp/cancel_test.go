package zmtp

import (
	"bytes"
	"testing"
)

func TestCancelBytes(t *testing.T) {
	t255 := bytes.Repeat([]byte("t"), 255)
	for _, tt := range []struct {
		name  string
		v     Version
		topic []byte
		want  []byte
	}{
		{"3.1", v31, []byte("A"), wire("04 08 06 'CANCEL' 41")},
		{"3.0", v30, []byte("A"), wire("00 02 00 41")},
		{"3.1, everything", v31, nil, wire("04 07 06 'CANCEL'")},
		{"3.0, everything", v30, nil, wire("00 01 00")},
		{"3.0, 255 bytes", v30, t255, join(wire("02 00 00 00 00 00 00 01 00 00"), t255)},
		{"3.1, 255 bytes", v31, t255, join(wire("06 00 00 00 00 00 00 01 06 06 'CANCEL'"), t255)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := AppendCancel(nil, tt.v, tt.topic)
			wantBytes(t, got, tt.want)
			wantKeepsPrefix(t, func(b []byte) []byte { return AppendCancel(b, tt.v, tt.topic) })
			checkSubscriptionBack(t, got, CommandCancel, tt.topic)
		})
	}
}
