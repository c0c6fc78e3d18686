package pipeline

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"time"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/patterns/internal/line"
	"github.com/yodel-mq/yodel/socket"
)

// worker is a Worker behind its types: jobs are bodies here.
type worker struct {
	cfg  workerConfig
	node [16]byte // by which a pusher knows it again
	ends ends

	mu      sync.Mutex // guards what follows
	sources map[*source]bool
	known   map[string]*source // Yodel pushers by their connection, also those that are gone
	queue   []*held            // what nobody has begun, the first come first; those that were taken away are empty
	stored  int                // what is in queue and is there
	begun   int
	takers  []chan struct{} // who wait for a job
	users   int             // Runs and Jobs that want jobs
	hands   int             // how many jobs they can be at
	runs    int             // Runs and Jobs under way
	timer   *time.Timer     // renews leases
	asked   time.Time       // when somebody last asked for a job
	paused  bool            // for that is so long ago that nothing is kept in store
	closing bool
	closed  bool
	stats   WorkerStats
	done    chan struct{} // closed when runs is 0, of Shutdown
	stop    context.CancelCauseFunc
	stopped context.Context //nolint:containedctx // ends with the worker, and handlers with it
}

// A source is a pusher, over all its connections.
type source struct {
	worker *worker
	conn   *line.Conn // nil while there is none
	pusher [16]byte   // zero if it is plain ZeroMQ
	met    bool       // its hello has come
	lease  time.Duration
	held   map[uint64]*held
	said   []answer // the last, at most as many as it lets be open: it may not have got them
	window int      // how many it may have had here open
	key    string   // in known
}

type answer struct {
	seq uint64
	msg [][]byte
}

// held is a job that a worker has.
type held struct {
	from    *source
	peer    *socket.Peer
	head    patterns.Head
	body    []byte
	queued  bool
	over    bool // answered for, or taken away
	revoked bool // taken away
	auto    bool // its lease is renewed
	lost    context.CancelCauseFunc
}

func newWorker(c workerConfig) *worker {
	w := &worker{cfg: c, sources: make(map[*source]bool), known: make(map[string]*source)}
	rand.Read(w.node[:])
	w.stopped, w.stop = context.WithCancelCause(context.Background())
	w.ends = newEnds(line.Worker, w, c.commonConfig)
	return w
}

func (w *worker) counts() WorkerStats {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.stats
	s.Stored, s.Held = w.stored, w.begun
	return s
}

// enter says that somebody takes jobs, up to n at a time, until ctx ends or leave is called, which has to be.
func (w *worker) enter(ctx context.Context, n int) (leave func(), err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closing {
		return nil, socket.ErrClosed
	}
	w.runs++
	w.users++
	w.hands += n
	w.asked, w.paused = time.Now(), false
	w.askAll()
	enough := sync.OnceFunc(func() { w.enough(n) })
	stop := context.AfterFunc(ctx, enough)
	return func() {
		stop()
		enough()
		w.left()
	}, nil
}

// enough says that somebody takes no more jobs.
func (w *worker) enough(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.users--
	w.hands -= n
	if w.users == 0 {
		w.giveBack()
	}
	w.askAll()
}

// left says that somebody is done with all jobs.
func (w *worker) left() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.runs--; w.runs == 0 && w.done != nil {
		close(w.done)
		w.done = nil
	}
}

// ask tells a pusher how many jobs this worker wants, or that it wants none. The caller holds mu.
func (w *worker) ask(s *source) {
	switch n := w.window(); {
	case n > 0:
		s.hello(nil)
	case s.window > 0:
		_ = s.send(patterns.Head{Kind: patterns.KindBye}) // Down tells of a lost connection
	}
}

// askAll asks all that have said who they are.
func (w *worker) askAll() {
	for s := range w.sources {
		if s.met {
			w.ask(s)
		}
	}
}

// hello asks a pusher for jobs, and says which are here from an earlier connection.
func (s *source) hello(has []uint64) {
	w := s.worker
	n := w.window()
	s.window = max(s.window, n)
	_ = s.send(patterns.Head{
		Kind: patterns.KindHello, Window: uint64(n), Method: w.cfg.name, Origin: w.node,
		Delivery: uint64(w.cfg.bytes), List: has,
	})
}

// window is how many jobs each pusher may have here now.
func (w *worker) window() int {
	if w.users == 0 || w.closing || w.paused {
		return 0
	}
	return w.cfg.prefetch + w.hands
}

// giveBack returns to the pushers what nobody has begun. The caller holds mu.
func (w *worker) giveBack() {
	for _, h := range w.queue {
		if h.queued && !h.over {
			_ = h.finish(patterns.Head{Kind: patterns.KindNack, NotBegun: true}, nil) // Down tells of a lost connection
			w.stats.Nacked++
		}
	}
	w.queue = nil
}

// take waits for a job that nobody has begun.
func (w *worker) take(ctx context.Context, auto bool) (*held, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		if w.asked = time.Now(); w.paused {
			w.paused = false
			w.askAll()
		}
		for len(w.queue) > 0 && ctx.Err() == nil && !w.closing {
			h := w.queue[0]
			w.queue[0] = nil
			if w.queue = w.queue[1:]; h.over {
				continue
			}
			h.queued, h.auto = false, auto
			w.stored--
			w.begun++
			return h, nil
		}
		if w.closing {
			return nil, socket.ErrClosed
		}
		c := make(chan struct{})
		w.takers = append(w.takers, c)
		w.mu.Unlock()
		var err error
		select {
		case <-c:
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
		w.mu.Lock()
		if err != nil {
			w.forgetTaker(c)
			return nil, err
		}
	}
}

// forgetTaker takes out one who waits no more; if it was woken the next one is.
func (w *worker) forgetTaker(c chan struct{}) {
	for i, t := range w.takers {
		if t == c {
			w.takers = append(w.takers[:i], w.takers[i+1:]...)
			return
		}
	}
	w.wake()
}

func (w *worker) wake() {
	if len(w.takers) > 0 {
		close(w.takers[0])
		w.takers = w.takers[1:]
	}
}

func (w *worker) shutdown(ctx context.Context) error {
	w.mu.Lock()
	w.closing = true
	w.giveBack()
	w.askAll()
	for len(w.takers) > 0 {
		w.wake()
	}
	var done chan struct{}
	if w.runs > 0 {
		if w.done == nil {
			w.done = make(chan struct{})
		}
		done = w.done
	}
	w.mu.Unlock()
	var err error
	if done != nil {
		select {
		case <-done:
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
	}
	if err == nil {
		err = w.ends.shutdown(ctx)
	}
	return opNil("shutdown", errors.Join(err, w.close()))
}

func (w *worker) close() error {
	w.mu.Lock()
	w.closing, w.closed = true, true
	for len(w.takers) > 0 {
		w.wake()
	}
	if w.timer != nil {
		w.timer.Stop()
	}
	w.mu.Unlock()
	w.stop(socket.ErrClosed)
	return w.ends.close()
}
