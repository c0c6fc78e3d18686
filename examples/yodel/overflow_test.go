package main

import (
	"strings"
	"testing"

	"github.com/yodel-mq/yodel/socket"
)

// TestOverflow: what becomes of lines that there is no room for.
func TestOverflow(t *testing.T) {
	line := strings.Repeat("x", 1<<20) + "\n" // more than a kernel takes, all together
	for _, tc := range []struct{ policy, says string }{
		{"drop-newest", "(queue full)"},
		{"drop-oldest", "(queue full)"},
		{"conflate", "(queue full)"},
		{"reject", "every queue is full; not sent"},
	} {
		t.Run(tc.policy, func(t *testing.T) {
			pull := socket.NewPull(socket.WithRecvHWM(1)) // takes in little and reads nothing
			defer pull.Close()
			at, err := pull.Bind(t.Context(), ipcEndpoint(t))
			if err != nil {
				t.Fatal(err)
			}
			push := startInput(t, strings.Repeat(line, 100), "push", "--connect", at, "--hwm", "2", "--overflow", tc.policy, "--linger", "100ms")
			push.exit(1) // what is left is not delivered
			push.says(tc.says)
		})
	}
}

// TestOverflowOfAVerb: who takes the flag, and what it does by default.
func TestOverflowOfAVerb(t *testing.T) {
	for _, v := range verbs {
		t.Run(v.name, func(t *testing.T) {
			help := startInput(t, "", v.name, "--help")
			help.exit(0)
			flag := strings.Contains(help.stdout.String(), "--overflow POLICY")
			dflt := "(default " + v.overflow() + ")"
			if flag != v.is(overflows) || flag && !strings.Contains(help.stdout.String(), dflt) {
				t.Errorf("flag %t, want %t, %s", flag, v.is(overflows), dflt)
			}
		})
	}
}
