package socket

import (
	"bytes"
	"strings"
	"testing"
)

func TestMsg(t *testing.T) {
	long := strings.Repeat("x", 65)
	for _, c := range []struct {
		name  string
		m     Msg
		size  int
		bytes string
		text  string
	}{
		{"no frame", Msg{}, 0, "", "[]"},
		{"one empty frame", Text(""), 0, "", `[""]`},
		{"one frame", Text("hello"), 5, "hello", `["hello"]`},
		{"three", Text("a", "", "bc"), 3, "abc", `["a" "" "bc"]`},
		{"binary", NewMsg([]byte{0, 0xff, '"'}), 3, "\x00\xff\"", `["\x00\xff\""]`},
		{"64 bytes are shown", Text(long[:64]), 64, long[:64], `["` + long[:64] + `"]`},
		{"the 65th is not", Text(long, "b"), 66, long + "b", `["` + long[:64] + `"…(65 bytes) "b"]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.m.Size(); got != c.size {
				t.Errorf("Size is %d, want %d", got, c.size)
			}
			if got := c.m.Bytes(); string(got) != c.bytes {
				t.Errorf("Bytes is %q, want %q", got, c.bytes)
			}
			if got := c.m.String(); got != c.text {
				t.Errorf("String is %s, want %s", got, c.text)
			}
		})
	}
}

func TestMsgReferences(t *testing.T) {
	frame := []byte("frame")
	if m := NewMsg(frame); &m.Frames[0][0] != &frame[0] {
		t.Error("NewMsg copies its frames")
	}
	if b := NewMsg(frame).Bytes(); &b[0] != &frame[0] {
		t.Error("Bytes copies a single frame")
	}
	m := NewMsg(frame, []byte("more"))
	joined := m.Bytes()
	joined[0] = 'F'
	if string(frame) != "frame" {
		t.Error("the bytes of two frames share memory with them")
	}
}

func TestMsgClone(t *testing.T) {
	m := Msg{Frames: [][]byte{[]byte("one"), {}, []byte("two")}, From: &Peer{Type: "PUB"}}
	c := m.Clone()
	if c.String() != m.String() || c.From != m.From {
		t.Fatalf("the clone is %s from %s, want %s from %s", c, c.From, m, m.From)
	}
	for i, f := range c.Frames {
		c.Frames[i] = append(f, "!!!"...) // does not reach the next frame
	}
	c.Frames[0][0] = 'O'
	if want := `["One!!!" "!!!" "two!!!"]`; c.String() != want {
		t.Errorf("the clone is %s after changing it, want %s", c, want)
	}
	if want := `["one" "" "two"]`; m.String() != want {
		t.Errorf("the original is %s after changing the clone, want %s", m, want)
	}
	if !bytes.Equal(Msg{}.Clone().Bytes(), nil) {
		t.Error("a clone of nothing has bytes")
	}
}
