package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/yodel-mq/yodel/transport/mtls"
	"github.com/yodel-mq/yodel/transport/zmtp/curve"
)

// keygen makes a key in a file and returns what was printed.
func keygen(t *testing.T, path string, more ...string) string {
	t.Helper()
	p := startInput(t, "", append([]string{"keygen", path}, more...)...)
	p.exit(0)
	return strings.TrimSpace(p.stdout.String())
}

func file(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestKeygen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	printed := keygen(t, path)
	key, err := curve.ReadKeyFile(path) // which refuses one that others can read
	if err != nil || key.Public().String() != printed {
		t.Errorf("printed %q: %v", printed, err)
	}
	p := startInput(t, "", "keygen", path)
	p.exit(1)
	if again, err := curve.ReadKeyFile(path); err != nil || !again.Equal(key) {
		t.Error("it was overwritten")
	}
	var v map[string]string
	if err := json.Unmarshal([]byte(keygen(t, path+"2", "--json")), &v); err != nil || len(v["public_key"]) != 40 {
		t.Errorf("got %v, %v", v, err)
	}
	hash := keygen(t, path+"3", "--tls", "server")
	if _, err := mtls.ParseKeyHash(hash); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(path + "3"); err != nil || os.PathSeparator == '/' && info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	startInput(t, "", "keygen", "--tls", "server", path+"3").exit(1)
}

// A way to talk in secret: the flags of a server, of a good client and of others.
type secret struct {
	name     string
	endpoint string
	server   []string
	client   []string
	others   map[string][]string
}

func secrets(t *testing.T) []secret {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	server, client := keygen(t, at("server")), keygen(t, at("client"))
	stranger := keygen(t, at("stranger"))
	tlsServer, tlsClient := keygen(t, at("tserver"), "--tls", "server"), keygen(t, at("tclient"), "--tls", "client")
	keygen(t, at("tstranger"), "--tls", "stranger")
	tls := func(name string) []string { return []string{"--tls-key", at(name), "--tls-cert", at(name) + ".crt"} }
	trust := []string{"--tls-pin", tlsServer}
	return []secret{
		{
			name: "curve", endpoint: anyPort,
			server: []string{"--curve-server", "--curve-key", at("server"), "--curve-allow", file(t, "# who\n"+client+" me\n")},
			client: []string{"--curve-key", at("client"), "--curve-server-key", server},
			others: map[string][]string{
				"stranger":       {"--curve-key", at("stranger"), "--curve-server-key", server},
				"new key":        {"--curve-server-key", server},
				"another server": {"--curve-key", at("client"), "--curve-server-key", stranger},
				"in the clear":   {},
			},
		},
		{
			name: "curve, anybody", endpoint: anyPort,
			server: []string{"--curve-server", "--curve-key", at("server")}, client: []string{"--curve-server-key", server},
			others: map[string][]string{"in the clear": {}, "plain": {"--plain", "u:p"}},
		},
		{
			name: "plain", endpoint: anyPort,
			server: []string{"--plain-server", file(t, "# who\nann:sesame:open\nbob:\n")},
			client: []string{"--plain", "ann:sesame:open"},
			others: map[string][]string{
				"password": {"--plain", "ann:sesame"}, "user": {"--plain", "eve:sesame:open"}, "nothing": {"--plain", ":"},
				"in the clear": {},
			},
		},
		{
			name: "tls", endpoint: "tls://127.0.0.1:*", server: append(tls("tserver"), "--tls-pins", file(t, tlsClient+" me\n")),
			client: append(tls("tclient"), trust...),
			others: map[string][]string{
				"stranger": append(tls("tstranger"), trust...), "nobody": trust,
				"another server": append(tls("tclient"), "--tls-pin", tlsClient), "unknown to the system": tls("tclient"),
			},
		},
		{
			name: "tls, any client", endpoint: "tls://127.0.0.1:*", server: append(tls("tserver"), "--tls-any-client"),
			client: trust, others: map[string][]string{"another server": {"--tls-pin", tlsClient}},
		},
	}
}

// TestSecrets: who has the right flags is heard; who has not is not, and fails and says why.
func TestSecrets(t *testing.T) {
	t.Parallel()
	for _, s := range secrets(t) {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			pull := startInput(t, "", append([]string{"pull", "--bind", s.endpoint, "--count", "1"}, s.server...)...)
			at := pull.endpoint()
			for name, flags := range s.others {
				t.Run(name, func(t *testing.T) {
					push := startInput(t, "", append(
						[]string{"push", "--connect", at, "--data", "evil", "--linger", "4s"}, flags...)...)
					push.says(at + ":")
					push.exit(1)
				})
			}
			startInput(t, "", append([]string{"push", "--connect", at, "--data", "good"}, s.client...)...).exit(0)
			pull.exit(0)
			if got := pull.stdout.String(); got != "good\n" {
				t.Errorf("received %q", got)
			}
		})
	}
}

// TestSecretsOfBench: both sides of a measurement talk CURVE.
func TestSecretsOfBench(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	key := keygen(t, path)
	recv := startInput(t, "", "bench", "recv", anyPort, "--count", "100", "--curve-server", "--curve-key", path)
	startInput(t, "", "bench", "send", recv.endpoint(), "--count", "100", "--curve-server-key", key).exit(0)
	recv.exit(0)
}

// TestTakenOffTheList: a client whose key is taken off the list is cut off.
func TestTakenOffTheList(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server, client := keygen(t, filepath.Join(dir, "server")), keygen(t, filepath.Join(dir, "client"))
	list := file(t, client+" me\n")
	p := startInput(t, "", "monitor", "pull", "--bind", anyPort, "--curve-server", "--curve-allow", list,
		"--curve-key", filepath.Join(dir, "server"))
	start(t, "push", "--connect", p.endpoint(), "--curve-server-key", server, "--curve-key", filepath.Join(dir, "client"))
	p.stdout.waitFor(t, func(s string) bool { return strings.Contains(s, "peer up") })
	if err := os.WriteFile(list, []byte("# nobody\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.stdout.waitFor(t, func(s string) bool { return strings.Contains(s, "peer down") })
}

// TestRefusedIsTold: the monitor of a server says who was refused and why.
func TestRefusedIsTold(t *testing.T) {
	t.Parallel()
	p := startInput(t, "", "monitor", "pull", "--bind", anyPort, "--plain-server", file(t, "ann:sesame\n"))
	startInput(t, "", "push", "--connect", p.endpoint(), "--data", "x", "--linger", "1s", "--plain", "eve:guess").exit(1)
	p.stdout.waitFor(t, func(s string) bool { return strings.Contains(s, `user "eve"`) && !strings.Contains(s, "guess") })
}
