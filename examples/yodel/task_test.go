package main

import (
	"path/filepath"
	"testing"
)

// TestSecretsOfPatterns: both sides of each pattern talk CURVE, and who does not is not heard.
func TestSecretsOfPatterns(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key")
	secret := []string{"--curve-server-key", keygen(t, path)}
	for _, tc := range []struct {
		name      string
		bound     []string
		input     string
		connected []string
		prints    string
	}{
		{"rpc", []string{"serve", "m", "--exec", "cat"}, "", []string{"call", "m", "--data", "1"}, "1\n"},
		{"pubsub", []string{"publish", "a"}, "1\n", []string{"subscribe", "a", "--count", "1"}, "a 1\n"},
		{"pipeline", []string{"work", "--exec", "cat"}, "", []string{"submit", "--data", "1", "--wait"}, "1\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			bound := startInput(t, tc.input,
				append(tc.bound, "--bind", anyPort, "--curve-server", "--curve-key", path)...)
			there := append(tc.connected, "--connect", bound.endpoint())
			p := startInput(t, "", append(append([]string{}, there...), "--timeout", "1s")...)
			p.exit(3)
			p.says("no peer")
			p = startInput(t, "", append(there, secret...)...)
			p.exit(0)
			p.prints(tc.prints)
			bound.stop()
			bound.ends()
		})
	}
}
