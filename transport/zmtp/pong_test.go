package zmtp

import "testing"

func TestPongBytes(t *testing.T) {
	for _, tt := range []struct{ name, context, want string }{
		{"no context", "", "04 05 04 'PONG'"},
		{"context", "ctx", "04 08 04 'PONG' 'ctx'"},
		{"context of 16", "0123456789abcdef", "04 15 04 'PONG' '0123456789abcdef'"},
		{"context cut to 16", "0123456789abcdefg", "04 15 04 'PONG' '0123456789abcdef'"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := AppendPong(nil, []byte(tt.context))
			wantBytes(t, got, wire(tt.want))
			wantKeepsPrefix(t, func(b []byte) []byte { return AppendPong(b, []byte(tt.context)) })
			name, data, err := ParseCommand(got[2:])
			wantError(t, err, nil)
			if name != CommandPong || string(ParsePong(data)) != tt.context[:min(len(tt.context), 16)] {
				t.Errorf("parsed back %q %q", name, ParsePong(data))
			}
		})
	}
	t.Run("too long a context of a peer is cut", func(t *testing.T) {
		if got := ParsePong(make([]byte, 200)); len(got) != MaxPingContext {
			t.Errorf("%d bytes; want %d", len(got), MaxPingContext)
		}
	})
	t.Run("appending to a context leaves the input alone", func(t *testing.T) {
		data := []byte("0123456789abcdefg")
		_ = append(ParsePong(data), 'X')
		wantBytes(t, data, []byte("0123456789abcdefg"))
	})
}
