package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/yodel-mq/yodel/patterns/rpc"
	"github.com/yodel-mq/yodel/socket"
)

const (
	replicas        = 4
	callsPerRestart = 1000
	slowEvery       = 100 // of so many calls one takes longer than it may
	slowTakes       = 40 * time.Millisecond
	slowMay         = 10 * time.Millisecond
	grace           = 50 * time.Millisecond // by which a call may end late
	onceEvery       = 10                    // of so many calls one has a key, which it shares with the next of them
	twiceDir        = "BENCH_TWICE_DIR"     // of the environment: where replicas write down what they have begun twice
)

// A restartCall is answered with its number, or with that of the other one that has its key.
type restartCall struct {
	Number uint64
	Takes  time.Duration
}

// keyOfCall is 0 for a call without.
func keyOfCall(number uint64) uint64 {
	if number%onceEvery != 0 {
		return 0
	}
	return 1 + number/(2*onceEvery)
}

const restartEcho rpc.Method[restartCall, uint64] = "echo"

// A restartTally is what became of the calls.
type restartTally struct {
	next                             atomic.Uint64
	crossed, overdue, maybe, another atomic.Int64
	mu                               sync.Mutex
	note                             error // the first of another
}

func (t *restartTally) count(number, reply uint64, late time.Duration, slow bool, err error) {
	key := keyOfCall(number)
	if late > grace {
		t.overdue.Add(1)
	}
	var ce *rpc.CallError
	switch {
	case err == nil && reply != number && (key == 0 || keyOfCall(reply) != key):
		t.crossed.Add(1)
	case err == nil || slow && errors.Is(err, context.DeadlineExceeded):
	case errors.As(err, &ce) && ce.MayHaveRun && !errors.Is(err, context.DeadlineExceeded): // nobody is to wait for that
		t.maybe.Add(1)
	default:
		t.another.Add(1)
		t.mu.Lock()
		if t.note == nil {
			t.note = fmt.Errorf("call %d, key %d: %w", number, key, err)
		}
		t.mu.Unlock()
	}
}

// restart has the job's number of callers call four replicas, which are processes of their own, while these are
// restarted one after the other, every other one by SIGKILL: until all calls have been made, and a thousandth as many
// restarts.
func restart(ctx context.Context, c *console, j job) error {
	dir, err := os.MkdirTemp("", "bench-restart-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // what is left there is the system's to clean
	if err := os.Setenv(twiceDir, dir); err != nil {
		return err
	}
	// A replica that is lost soon and often is tried again ever more seldom, which here would be most of the time.
	cl := rpc.NewClient(rpc.WithDealer(socket.WithReconnect(50*time.Millisecond, 100*time.Millisecond)))
	defer cl.Close() //nolint:errcheck // what it has to say is said by calls
	var all [replicas]*child
	var at [replicas]string
	for i := range all {
		// Each has an address of its own, which no connection takes for its other end while the replica is away.
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", fmt.Sprintf("127.0.0.%d:0", i+2))
		if err != nil {
			return err
		}
		at[i] = "tcp://" + l.Addr().String()
		l.Close()
	}
	begin := func(i int) (err error) {
		if all[i], err = startChild(ctx, job{Role: servesRestart, Endpoint: at[i]}); err == nil {
			err = all[i].await(ctx)
		}
		return err
	}
	defer func() {
		for _, r := range all {
			if r != nil {
				_ = r.end(true) // nothing comes behind
			}
		}
	}()
	for i := range all {
		if err := errors.Join(begin(i), cl.Connect(at[i])); err != nil {
			return err
		}
	}
	var t restartTally
	var done atomic.Bool
	var callers sync.WaitGroup
	for range j.Sockets {
		callers.Go(func() {
			for !done.Load() || t.next.Load() < uint64(j.Count) {
				callOnce(ctx, cl, &t)
			}
		})
	}
	todo := max(2, (j.Count+callsPerRestart/2)/callsPerRestart) // the count is a multiple of the callers
	err = func() error {
		for n := range todo {
			i := n % replicas
			if err := cl.WaitReplicas(ctx, replicas); err != nil {
				return err
			}
			if err := all[i].end(n%2 == 1); err != nil {
				return err
			}
			if err := begin(i); err != nil {
				return err
			}
		}
		return nil
	}()
	done.Store(true)
	if err != nil {
		return err
	}
	callers.Wait()
	twice, err := filepath.Glob(filepath.Join(dir, "twice-*"))
	if err != nil {
		return err
	}
	r := report{Values: map[string]float64{
		restartCalls: float64(t.next.Load()), restartCount: float64(todo), restartMaybe: float64(t.maybe.Load()),
		restartCrossed: float64(t.crossed.Load()), restartOverdue: float64(t.overdue.Load()),
		restartOthers: float64(t.another.Load()), restartTwice: float64(len(twice)),
	}}
	if t.note != nil {
		r.Note = t.note.Error()
	}
	return c.result(r)
}

func callOnce(ctx context.Context, cl *rpc.Client, t *restartTally) {
	call, may := restartCall{Number: t.next.Add(1)}, deadline
	if call.Number%slowEvery == 0 {
		call.Takes, may = slowTakes, slowMay
	}
	begin := time.Now()
	limited, cancel := context.WithTimeout(ctx, may)
	defer cancel()
	var opts []rpc.CallOption
	if key := keyOfCall(call.Number); key > 0 {
		opts = append(opts, rpc.Once(strconv.FormatUint(key, 10)))
	}
	reply, err := restartEcho.Call(limited, cl, call, opts...)
	t.count(call.Number, reply, time.Since(begin)-may, call.Takes > 0, err)
}

// serveRestarts is a replica, until its input ends.
func serveRestarts(ctx context.Context, c *console, j job) error {
	s := rpc.NewService()
	var begun sync.Map
	restartEcho.Handle(s, func(_ context.Context, in restartCall) (uint64, error) {
		if key := keyOfCall(in.Number); key > 0 {
			if _, again := begun.LoadOrStore(key, true); again {
				f, err := os.CreateTemp(os.Getenv(twiceDir), "twice-")
				if err != nil {
					return 0, err
				}
				f.Close() //nolint:errcheck // that it is there says it all
			}
		}
		time.Sleep(in.Takes) // as one does that does not heed its context
		return in.Number, nil
	})
	at, err := s.Bind(ctx, j.Endpoint)
	if err != nil {
		return errors.Join(err, s.Close())
	}
	serving, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		_ = c.wait(ctx) // either way it is over
		stop()
	}()
	if err := c.say("ready", at); err != nil {
		return err
	}
	return s.Serve(serving)
}
