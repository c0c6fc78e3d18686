package pipeline

import (
	"time"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/spool"
)

// Options are sealed, and nil is none. Of two that contradict each other the last wins.
type (
	// A PusherOption configures a [Pusher].
	PusherOption interface{ setPusher(c *pusherConfig) }
	// A WorkerOption configures a [Worker].
	WorkerOption interface{ setWorker(c *workerConfig) }
	// A CommonOption configures either.
	CommonOption interface {
		PusherOption
		WorkerOption
	}
	// A PushOption configures one job, or those of one PushAll or Map.
	PushOption interface{ setJob(c *jobConfig) }
)

// Defaults.
const (
	defaultPending      = 10_000
	defaultPendingBytes = 64 << 20
	defaultLease        = 30 * time.Second
	defaultAttempts     = 20
	defaultPrefetch     = 16
	defaultPrefetchSize = 1 << 20
)

type commonConfig struct {
	codec   patterns.Codec
	router  []socket.RouterOption
	dealer  []socket.DealerOption
	refused func(error)
}

type pusherConfig struct {
	commonConfig
	pending  int
	bytes    int64
	lease    time.Duration
	attempts int
	spool    *spool.Spool
}

type workerConfig struct {
	commonConfig
	name     string
	prefetch int
	bytes    int64
}

type jobConfig struct {
	key, to, unique string
	ttl, delay      time.Duration
}

type (
	commonOption func(c *commonConfig)
	pusherOption func(c *pusherConfig)
	workerOption func(c *workerConfig)
	pushOption   func(c *jobConfig)
)

func (o commonOption) setPusher(c *pusherConfig) { o(&c.commonConfig) }
func (o commonOption) setWorker(c *workerConfig) { o(&c.commonConfig) }
func (o pusherOption) setPusher(c *pusherConfig) { o(c) }
func (o workerOption) setWorker(c *workerConfig) { o(c) }
func (o pushOption) setJob(c *jobConfig)         { o(c) }

// WithCodec encodes jobs, or their results, by c. What is received is decoded by its type: by c if that fits, else as
// msgpack, JSON or bytes. The default, and nil, is patterns.Msgpack.
func WithCodec(c patterns.Codec) CommonOption {
	return commonOption(func(cfg *commonConfig) {
		if c != nil {
			cfg.codec = c
		}
	})
}

// WithRouter configures the socket that Bind makes, for security or heartbeats for example. It has no high-water mark
// for what it sends, whatever is said here.
func WithRouter(opts ...socket.RouterOption) CommonOption {
	return commonOption(func(c *commonConfig) { c.router = append(c.router, opts...) })
}

// WithDealer configures the sockets that Connect makes, one for each endpoint; see WithRouter.
func WithDealer(opts ...socket.DealerOption) CommonOption {
	return commonOption(func(c *commonConfig) { c.dealer = append(c.dealer, opts...) })
}

// WithRefused has f told of each peer that is of another pattern, such as a pusher where there should be a worker,
// and was disconnected for that. The error names both, and matches ErrMismatch. A peer that connects again is told of
// again. f is called by the goroutine that receives: it must not wait, nor close what it was given to. The default,
// and nil, is that nobody is told; Stats count them.
func WithRefused(f func(err error)) CommonOption {
	return commonOption(func(c *commonConfig) { c.refused = f })
}

// WithPending bounds the jobs that are not settled: Push waits for room beyond that. The defaults are 10,000 jobs and
// 64 MiB of bodies; 0 or less is the default. A body may be larger than that if it is the only one.
func WithPending(jobs int, bytes int64) PusherOption {
	return pusherOption(func(c *pusherConfig) {
		if c.pending = jobs; jobs <= 0 {
			c.pending = defaultPending
		}
		if c.bytes = bytes; bytes <= 0 {
			c.bytes = defaultPendingBytes
		}
	})
}

// WithLease is for how long a worker that is connected has a job without a word; then the job goes to another.
// [Worker.Run] renews leases while it is at work. The default, and 0 or less, is 30 s.
func WithLease(d time.Duration) PusherOption {
	return pusherOption(func(c *pusherConfig) {
		if c.lease = d; d <= 0 {
			c.lease = defaultLease
		}
	})
}

// WithMaxAttempts is after how many attempts that came to nothing a job becomes a dead letter: it failed, its lease ran
// out or its worker was lost. The default, and 0 or less, is 20.
func WithMaxAttempts(n int) PusherOption {
	return pusherOption(func(c *pusherConfig) {
		if c.attempts = n; n <= 0 {
			c.attempts = defaultAttempts
		}
	})
}

// WithSpool keeps jobs in a spool until they are settled, and dead letters: they survive the pusher's process. The
// spool is for this pusher alone, and is the caller's to close, after the pusher. The default, and nil, is that jobs
// live in memory.
//
//   - Push returns once the job is on disk. [ID.Pusher] is that of the spool, and [ID.Seq] the message's there.
//   - A pusher that begins takes up what an earlier life has left, at the first Push, Bind or Connect. For three
//     seconds jobs that may be with a worker wait for that to come back, which goes on with them; what it has done
//     meanwhile it says then. After that they go to others, with [Job.Attempt] above 0.
//   - A job is settled when that is on disk. Receipts of an earlier life are gone with it.
//   - All jobs that are pending are in memory as well. [WithPending] bounds what Push adds to them.
func WithSpool(q *spool.Spool) PusherOption {
	return pusherOption(func(c *pusherConfig) { c.spool = q })
}

// WithName names a worker, so that a pusher can address it by [To]. Several may share a name; then a job goes to one
// of them. The default is no name. A name has at most 255 bytes; of a longer one that is what counts.
func WithName(name string) WorkerOption {
	return workerOption(func(c *workerConfig) { c.name = name[:min(len(name), mostName)] })
}

const mostName = 255

// WithPrefetch is how many jobs, and bytes of them, a worker has in store from each pusher beside those that are being
// worked on, so that it need not wait for the next. The defaults are 16 jobs and 1 MiB; 0 bytes or less is the default,
// and less than 0 jobs is none. What is in store another worker that has nothing to do does not get.
func WithPrefetch(jobs int, bytes int64) WorkerOption {
	return workerOption(func(c *workerConfig) {
		c.prefetch = max(jobs, 0)
		if c.bytes = bytes; bytes <= 0 {
			c.bytes = defaultPrefetchSize
		}
	})
}

// Key makes jobs with the same key follow each other: the next one is given out when the one before is settled,
// whatever workers there are. It has at most 64 bytes; Push refuses a longer one. The default, "", is no order.
func Key(key string) PushOption { return pushOption(func(c *jobConfig) { c.key = key }) }

// To makes a job wait for a worker of this name ([WithName]). The default, "", is any worker.
func To(worker string) PushOption { return pushOption(func(c *jobConfig) { c.to = worker }) }

// TTL makes a dead letter of a job that no worker has had after so much time. One that a worker has by then may be done
// still, but does not come again. The default, and 0 or less, is no end.
func TTL(d time.Duration) PushOption { return pushOption(func(c *jobConfig) { c.ttl = max(d, 0) }) }

// Delay keeps a job from workers for so much time. The default, and 0 or less, is none.
func Delay(d time.Duration) PushOption {
	return pushOption(func(c *jobConfig) { c.delay = max(d, 0) })
}

// Unique refuses a job, with ErrDuplicate, while another with the same key is not settled. The default, "", is none.
func Unique(key string) PushOption { return pushOption(func(c *jobConfig) { c.unique = key }) }
