package rpc_test

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/patterns/rpc"
)

// python returns a command for testdata/peers.py. Debian's packages belong to /usr/bin/python3, which need not be the
// first in PATH.
func python(t testing.TB, role, endpoint string) *exec.Cmd {
	t.Helper()
	var errs []string
	for _, name := range []string{"/usr/bin/python3", "python3"} {
		out, err := exec.CommandContext(t.Context(), name, "-c", "import zmq, msgpack").CombinedOutput()
		if err == nil {
			cmd := exec.CommandContext(t.Context(), name, "testdata/peers.py", role, endpoint)
			cmd.Stderr = os.Stderr
			return cmd
		}
		errs = append(errs, name+": "+err.Error()+": "+string(out))
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("install python3-zmq and python3-msgpack: %s", strings.Join(errs, "; "))
	}
	t.Skipf("install python3-zmq and python3-msgpack to run this test: %s", strings.Join(errs, "; "))
	return nil
}

// Plain sockets of another language call a service.
func TestForeignCallers(t *testing.T) {
	for _, role := range []string{"REQ", "DEALER", "ROUTER-caller"} {
		t.Run(role, func(t *testing.T) {
			s := newService(t)
			out, err := python(t, role, bind(t, s, loopback)).Output()
			const want = "ok  {'Sum': 3}\nunimplemented there is no method \"subtract\" None\n"
			if err != nil || string(out) != want {
				t.Errorf("%v: %q", err, out)
			}
			is(t, "failed", s.Stats().Methods["add"].Failed, 0)
			is(t, "stray", s.Stats().Stray, 0)
		})
	}
}

// A client calls plain sockets of another language.
func TestForeignServices(t *testing.T) {
	for _, role := range []string{"REP", "ROUTER", "DEALER-service"} {
		t.Run(role, func(t *testing.T) {
			cmd := python(t, role, "tcp://127.0.0.1:*")
			stdout, err := cmd.StdoutPipe()
			must(t, err)
			must(t, cmd.Start())
			at, err := bufio.NewReader(stdout).ReadString('\n')
			must(t, err)
			c := newClient(t)
			must(t, c.Connect(strings.TrimSpace(at)))
			got, err := add.Call(within(t), c, adds{1, 2})
			if err != nil || got.Sum != 3 {
				t.Errorf("%v, %v", got, err)
			}
			_, err = rpc.Call[sum](within(t), c, "subtract", adds{1, 2})
			e, ok := errors.AsType[*patterns.Error](err)
			if !ok || e.Code != patterns.CodeNotFound || e.Text != "no subtract" {
				t.Error(err)
			}
			must(t, cmd.Wait())
			is(t, "stray", c.Stats().Stray, 0)
		})
	}
}
