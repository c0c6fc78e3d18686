package pipeline_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/yodel-mq/yodel/patterns/pipeline"
	"github.com/yodel-mq/yodel/socket/spool"
)

// Some tests kill a process. It is this test program again, which runs one of children instead of the tests, and says
// on its standard output what it has done.

// childEnv names the child to be, and its arguments, in the environment of a second process.
const childEnv = "YODEL_PIPELINE_CHILD"

var children = map[string]func(t *testing.T, args []string){"pusher": childPusher, "worker": childWorker}

// TestChild is what a second process runs. In the first it has nothing to do.
func TestChild(t *testing.T) {
	if args := os.Getenv(childEnv); args != "" {
		f := strings.Split(args, "\n")
		go func() { // of a parent that is gone
			_, _ = io.Copy(io.Discard, os.Stdin)
			os.Exit(1)
		}()
		children[f[0]](t, f[1:])
	}
}

// childSays sets what a child says apart from what package testing prints.
const childSays = "child: "

// childPusher pushes jobs from a number on, and says which were accepted.
func childPusher(t *testing.T, args []string) {
	q, err := spool.Open(args[0], spool.Options{})
	must(t, err)
	p := pipeline.NewPusher[int](pipeline.WithSpool(q))
	at, err := p.Bind(t.Context(), args[1])
	must(t, err)
	fmt.Println(childSays + at)
	from, err := strconv.Atoi(args[2])
	must(t, err)
	to, err := strconv.Atoi(args[3])
	must(t, err)
	for i := from; i < to; i++ {
		key := "" // those with one may have to wait for others that came before the last kill
		if i%2 == 0 {
			key = strconv.Itoa(i % 7)
		}
		_, err := p.Push(t.Context(), i, pipeline.Key(key))
		must(t, err)
		fmt.Println(childSays + strconv.Itoa(i))
	}
	must(t, p.Flush(t.Context()))
	fmt.Println(childSays + "done")
	select {}
}

// childWorker does jobs, and says so ahead of each answer.
func childWorker(t *testing.T, args []string) {
	w := pipeline.NewWorker[int]()
	must(t, w.Connect(args[0]))
	must(t, w.Run(t.Context(), 2, func(_ context.Context, j *pipeline.Job[int]) error {
		fmt.Println(childSays + fmt.Sprint(j.ID, " ", j.Attempt))
		return nil
	}))
}

// A child is a second process.
type child struct {
	cmd   *exec.Cmd
	stdin io.Closer
	lines *bufio.Scanner
}

// start starts a second process, which is killed at the end of the test if it lives on.
func start(t testing.TB, args ...string) *child {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	c := &child{cmd: exec.CommandContext(t.Context(), self, "-test.run=^TestChild$", "-test.timeout=5m")}
	c.cmd.Env = append(os.Environ(), childEnv+"="+strings.Join(args, "\n"), "GORACE=atexit_sleep_ms=0")
	c.cmd.Stderr = os.Stderr
	c.stdin, err = c.cmd.StdinPipe()
	must(t, err)
	from, err := c.cmd.StdoutPipe()
	must(t, err)
	c.lines = bufio.NewScanner(from)
	must(t, c.cmd.Start())
	t.Cleanup(c.kill)
	return c
}

// says returns the next line that the child says; false when it has ended.
func (c *child) says() (string, bool) {
	for c.lines.Scan() {
		if said, ok := strings.CutPrefix(c.lines.Text(), childSays); ok {
			return said, true
		}
	}
	return "", false
}

// kill kills the process as kill -9 does, and returns once it is gone.
func (c *child) kill() {
	_ = c.cmd.Process.Kill() // it may have gone
	for c.lines.Scan() {
		continue
	}
	_ = c.cmd.Wait() // that it was killed
	_ = c.stdin.Close()
}

// A pusher whose process is killed again and again loses no job that it has accepted, and a worker that stays does none
// twice; the jobs of a key stay in order.
func TestKilledPusher(t *testing.T) {
	const kills, jobs = 6, 800
	dir := t.TempDir()
	w := newWorker(t)
	var mu sync.Mutex
	done := make(map[pipeline.ID]int)
	values := make(map[int]int)
	last := make(map[string]uint64)
	runs(t, w, 4, func(_ context.Context, j *pipeline.Job[int]) error {
		mu.Lock()
		defer mu.Unlock()
		done[j.ID]++
		values[j.Value]++
		if j.Key != "" && j.ID.Seq < last[j.Key] {
			t.Errorf("job %d of key %s comes after %d", j.ID.Seq, j.Key, last[j.Key])
		}
		last[j.Key] = max(last[j.Key], j.ID.Seq)
		return nil
	})
	endpoint, accepted := loopback, make(map[int]bool)
	next := 0
	for round := 0; ; round++ {
		c := start(t, "pusher", dir, endpoint, strconv.Itoa(next), strconv.Itoa(jobs))
		at, ok := c.says()
		if !ok {
			t.Fatal("the pusher has ended by itself")
		}
		if round == 0 {
			endpoint = at
			must(t, w.Connect(endpoint))
		}
		over := false
		for n := 0; round == kills || n < jobs/(kills+2); n++ {
			said, ok := c.says()
			if !ok {
				t.Fatal("the pusher has ended by itself")
			}
			if over = said == "done"; over {
				break
			}
			i, err := strconv.Atoi(said)
			must(t, err)
			accepted[i] = true
			next = i + 1
		}
		c.kill()
		if over {
			break
		}
	}
	mu.Lock()
	defer mu.Unlock()
	is(t, "accepted", len(accepted), jobs)
	for i := range accepted {
		if values[i] == 0 {
			t.Errorf("job %d is lost", i)
		}
	}
	for id, n := range done {
		if n != 1 {
			t.Errorf("%v was done %d times", id, n)
		}
	}
}

// Workers whose processes are killed while the pusher's is as well: no job is lost, and what is done twice says so.
func TestKilledPusherAndWorkers(t *testing.T) {
	const kills, jobs = 6, 800
	dir := t.TempDir()
	var mu sync.Mutex
	ids := make(map[string]int)
	unflagged := make(map[string]int)
	var reading sync.WaitGroup
	follow := func(c *child) {
		reading.Go(func() {
			for {
				said, ok := c.says()
				if !ok {
					return
				}
				id, attempt, _ := strings.Cut(said, " ")
				mu.Lock()
				if ids[id]++; attempt == "0" {
					unflagged[id]++
				}
				mu.Unlock()
			}
		})
	}
	endpoint, next := loopback, 0
	var workers []*child
	for round := 0; ; round++ {
		c := start(t, "pusher", dir, endpoint, strconv.Itoa(next), strconv.Itoa(jobs))
		at, ok := c.says()
		if !ok {
			t.Fatal("the pusher has ended by itself")
		}
		endpoint = at
		for len(workers) < 2 {
			w := start(t, "worker", endpoint)
			workers = append(workers, w)
			follow(w)
		}
		over := false
		for n := 0; round == kills || n < jobs/(kills+2); n++ {
			said, ok := c.says()
			if !ok {
				t.Fatal("the pusher has ended by itself")
			}
			if over = said == "done"; over {
				break
			}
			i, err := strconv.Atoi(said)
			must(t, err)
			next = i + 1
		}
		if round%2 == 0 || over {
			_ = workers[0].cmd.Process.Kill() // who follows it waits for it
			workers = workers[1:]
		}
		c.kill()
		if over {
			break
		}
	}
	for _, w := range workers {
		_ = w.cmd.Process.Kill()
	}
	reading.Wait()
	mu.Lock()
	defer mu.Unlock()
	if len(ids) < jobs {
		t.Errorf("%d of %d jobs were done", len(ids), jobs)
	}
	for id, n := range unflagged {
		if n > 1 {
			t.Errorf("%s was done %d times, %d as if it were new", id, ids[id], n)
		}
	}
}
