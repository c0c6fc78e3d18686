package zmtp

import (
	"bytes"
	"testing"
)

func TestReadyBytes(t *testing.T) {
	for _, tt := range []struct {
		name string
		m    Metadata
		want []byte
	}{
		{"libzmq DEALER with empty identity", Metadata{{"Socket-Type", []byte("DEALER")}, {"Identity", nil}}, readyDealer},
		{
			"PULL",
			Metadata{{"Socket-Type", []byte("PULL")}},
			wire("04 1A 05 'READY' 0B 'Socket-Type' 00 00 00 04 'PULL'"),
		},
		{
			"with an extension",
			Metadata{{"Socket-Type", []byte("PUB")}, {"X-Yodel", []byte{1, 2}}},
			wire("04 27 05 'READY' 0B 'Socket-Type' 00 00 00 03 'PUB' 07 'X-Yodel' 00 00 00 02 01 02"),
		},
		{"no metadata", nil, wire("04 06 05 'READY'")},
		{
			"long form",
			Metadata{{"X-A", make([]byte, 300)}},
			join(wire("06 00 00 00 00 00 00 01 3A 05 'READY' 03 'X-A' 00 00 01 2C"), make([]byte, 300)),
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := AppendReady(nil, tt.m)
			wantBytes(t, got, tt.want)
			wantKeepsPrefix(t, func(b []byte) []byte { return AppendReady(b, tt.m) })
			_, n, err := ParseHeader(got)
			wantError(t, err, nil)
			name, data, err := ParseCommand(got[n:])
			wantError(t, err, nil)
			m, err := ParseMetadata(data)
			wantError(t, err, nil)
			if name != CommandReady || !sameMetadata(m, tt.m) {
				t.Errorf("parsed back %q %v; want READY %v", name, m, tt.m)
			}
		})
	}
}

// sameMetadata compares in order, taking nil and empty values as one.
func sameMetadata(a, b Metadata) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Name != b[i].Name || !bytes.Equal(a[i].Value, b[i].Value) {
			return false
		}
	}
	return true
}

// TestOurReadyBytes pins what Handshake sends for each socket type.
func TestOurReadyBytes(t *testing.T) {
	for _, tt := range []struct {
		cfg  Config
		want string
	}{
		{Config{SocketType: Dealer}, "04 29 05 'READY' 0B 'Socket-Type' 00 00 00 06 'DEALER' 08 'Identity' 00 00 00 00"},
		{
			Config{SocketType: Router, Identity: []byte("me")},
			"04 2B 05 'READY' 0B 'Socket-Type' 00 00 00 06 'ROUTER' 08 'Identity' 00 00 00 02 'me'",
		},
		{
			Config{SocketType: Req, Identity: []byte("me")},
			"04 28 05 'READY' 0B 'Socket-Type' 00 00 00 03 'REQ' 08 'Identity' 00 00 00 02 'me'",
		},
		{Config{SocketType: Rep, Identity: []byte("me")}, "04 19 05 'READY' 0B 'Socket-Type' 00 00 00 03 'REP'"},
		{Config{SocketType: Pair, Identity: []byte("me")}, "04 1A 05 'READY' 0B 'Socket-Type' 00 00 00 04 'PAIR'"},
		{Config{SocketType: Pub}, "04 19 05 'READY' 0B 'Socket-Type' 00 00 00 03 'PUB'"},
		{Config{SocketType: Sub}, "04 19 05 'READY' 0B 'Socket-Type' 00 00 00 03 'SUB'"},
		{Config{SocketType: XPub}, "04 1A 05 'READY' 0B 'Socket-Type' 00 00 00 04 'XPUB'"},
		{Config{SocketType: XSub}, "04 1A 05 'READY' 0B 'Socket-Type' 00 00 00 04 'XSUB'"},
		{Config{SocketType: Push}, "04 1A 05 'READY' 0B 'Socket-Type' 00 00 00 04 'PUSH'"},
		{
			Config{SocketType: Pull, Properties: Metadata{{"X-Yodel", []byte{1}}}},
			"04 27 05 'READY' 0B 'Socket-Type' 00 00 00 04 'PULL' 07 'X-Yodel' 00 00 00 01 01",
		},
	} {
		t.Run(string(tt.cfg.SocketType), func(t *testing.T) {
			m, err := tt.cfg.metadata()
			wantError(t, err, nil)
			wantBytes(t, AppendReady(nil, m), wire(tt.want))
		})
	}
}
