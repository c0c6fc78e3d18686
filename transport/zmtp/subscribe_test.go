package zmtp

import (
	"bytes"
	"testing"
)

var (
	v30 = Version{3, 0}
	v31 = Version{3, 1}
)

func TestSubscribeBytes(t *testing.T) {
	t254, t255, t256 := bytes.Repeat([]byte("t"), 254), bytes.Repeat([]byte("t"), 255), bytes.Repeat([]byte("t"), 256)
	for _, tt := range []struct {
		name  string
		v     Version
		topic []byte
		want  []byte
	}{
		{"3.1", v31, []byte("A"), wire("04 0B 09 'SUBSCRIBE' 41")},
		{"3.0", v30, []byte("A"), wire("00 02 01 41")},
		{"later than 3.1", Version{4, 0}, []byte("A"), wire("04 0B 09 'SUBSCRIBE' 41")},
		{"3.1, everything", v31, nil, wire("04 0A 09 'SUBSCRIBE'")},
		{"3.0, everything", v30, nil, wire("00 01 01")},
		{"3.0, longest short", v30, t254, join(wire("00 FF 01"), t254)},
		{"3.0, 255 bytes", v30, t255, join(wire("02 00 00 00 00 00 00 01 00 01"), t255)},
		{"3.1, 256 bytes", v31, t256, join(wire("06 00 00 00 00 00 00 01 0A 09 'SUBSCRIBE'"), t256)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := AppendSubscribe(nil, tt.v, tt.topic)
			wantBytes(t, got, tt.want)
			wantKeepsPrefix(t, func(b []byte) []byte { return AppendSubscribe(b, tt.v, tt.topic) })
			checkSubscriptionBack(t, got, CommandSubscribe, tt.topic)
		})
	}
}

// checkSubscriptionBack parses a frame in either form.
func checkSubscriptionBack(t *testing.T, frame []byte, command string, topic []byte) {
	t.Helper()
	h, n, err := ParseHeader(frame)
	wantError(t, err, nil)
	if h.Command() {
		name, data, err := ParseCommand(frame[n:])
		if err != nil || name != command || !bytes.Equal(data, topic) {
			t.Errorf("parsed back %q %q, %v; want %q %q", name, data, err, command, topic)
		}
		return
	}
	got, subscribe, ok := ParseSubscription(frame[n:])
	if !ok || subscribe != (command == CommandSubscribe) || !bytes.Equal(got, topic) {
		t.Errorf("parsed back %q, subscribe %v, ok %v; want %q", got, subscribe, ok, topic)
	}
}

func TestParseSubscription(t *testing.T) {
	for _, tt := range []struct {
		name, body    string
		topic         string
		subscribe, ok bool
	}{
		{"subscribe", "01 'abc'", "abc", true, true},
		{"cancel", "00 'abc'", "abc", false, true},
		{"subscribe to everything", "01", "", true, true},
		{"cancel everything", "00", "", false, true},
		{"ordinary message", "02 'abc'", "", false, false},
		{"text", "'abc'", "", false, false},
		{"empty message", "", "", false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			topic, subscribe, ok := ParseSubscription(wire(tt.body))
			if string(topic) != tt.topic || subscribe != tt.subscribe || ok != tt.ok {
				t.Errorf("got %q, %v, %v; want %q, %v, %v", topic, subscribe, ok, tt.topic, tt.subscribe, tt.ok)
			}
		})
	}
}
