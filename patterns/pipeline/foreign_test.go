package pipeline_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/yodel-mq/yodel/patterns/pipeline"
)

// python returns a command for testdata/peers.py. Debian's packages belong to /usr/bin/python3, which need not be the
// first in PATH.
func python(t testing.TB, role, how, endpoint string, jobs int) *exec.Cmd {
	t.Helper()
	var errs []string
	for _, name := range []string{"/usr/bin/python3", "python3"} {
		out, err := exec.CommandContext(t.Context(), name, "-c", "import zmq, msgpack").CombinedOutput()
		if err == nil {
			cmd := exec.CommandContext(t.Context(), name, "testdata/peers.py", role, how, endpoint, strconv.Itoa(jobs))
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

// Plain sockets of another language do jobs: they give one back, do it again, reject one, and return results.
func TestForeignWorkers(t *testing.T) {
	for _, tt := range []struct{ role, how string }{
		{"REP", "bind"},
		{"REQ", "connect"},
		{"DEALER", "connect"},
		{"DEALER", "bind"},
		{"ROUTER", "connect"},
		{"ROUTER", "bind"},
	} {
		t.Run(tt.role+" "+tt.how, func(t *testing.T) {
			p := newPusher(t)
			endpoint := loopback
			if tt.how == "connect" {
				endpoint = bind(t, p, loopback)
			}
			const jobs = 5
			cmd := python(t, tt.role, tt.how, endpoint, jobs+1) // one comes twice
			stdout, err := cmd.StdoutPipe()
			must(t, err)
			must(t, cmd.Start())
			if tt.how == "bind" {
				at, err := bufio.NewReader(stdout).ReadString('\n')
				must(t, err)
				must(t, p.Connect(strings.TrimSpace(at)))
			}
			var all []*pipeline.Receipt
			for i := range jobs {
				all = append(all, push(t, p, []int{1, 2, -3, 4, 5}[i]))
			}
			for i, r := range all {
				err := r.Wait(within(t))
				if i == 2 {
					var why *pipeline.JobError
					if !errors.Is(err, pipeline.ErrRejected) || !errors.As(err, &why) || why.Reason != "below zero" {
						t.Error(err)
					}
					continue
				}
				must(t, err)
				var got int
				must(t, r.Result(&got))
				is(t, "result", got, 2*(i+1))
			}
			must(t, cmd.Wait())
			s := p.Stats()
			is(t, "came again", s.Redelivered, 1)
			is(t, "late", s.Late, 0)
			is(t, "unknown", s.Unknown, 0)
		})
	}
}

// Plain sockets of another language give out jobs.
func TestForeignPushers(t *testing.T) {
	for _, role := range []string{"DEALER-pusher", "ROUTER-pusher"} {
		t.Run(role, func(t *testing.T) {
			w := newWorker(t)
			at := bind(t, w, loopback)
			runs(t, w, 1, func(_ context.Context, j *pipeline.Job[int]) error {
				is(t, "pusher", j.ID.Pusher, [16]byte{})
				if j.Value == 2 {
					return pipeline.Reject(errors.New("two"))
				}
				return j.Done(2 * j.Value)
			})
			out, err := python(t, role, "connect", at, 3).Output()
			must(t, err)
			is(t, "what it got", string(out), fmt.Sprint("5 1 2\n", "8 2 None\n", "5 3 6\n"))
			is(t, "unknown", w.Stats().Unknown, 0)
		})
	}
}
