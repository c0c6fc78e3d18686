package rpc

import (
	"log/slog"
	"time"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/socket"
)

// Options are sealed, and nil is none. Of two that contradict each other the last wins.
type (
	// A ServiceOption configures a [Service].
	ServiceOption interface{ setService(c *serviceConfig) }
	// A ClientOption configures a [Client].
	ClientOption interface{ setClient(c *clientConfig) }
	// A CommonOption configures either.
	CommonOption interface {
		ServiceOption
		ClientOption
	}
	// A CallOption configures one call.
	CallOption interface{ setCall(c *callConfig) }
)

// Defaults.
const (
	defaultTimeout  = 30 * time.Second
	defaultPatience = 3 * time.Second
	defaultGrace    = 30 * time.Second
	defaultBudget   = 0.2
	defaultAttempts = 3
	defaultWindow   = 256 << 10
	defaultKeep     = 10_000
	defaultKeepFor  = 10 * time.Minute
)

type commonConfig struct {
	codecs     []patterns.Codec
	middleware []Middleware
	log        *slog.Logger
	window     int
}

type serviceConfig struct {
	commonConfig
	name, version string
	concurrency   int
	queue         int
	wait          time.Duration
	grace         time.Duration
	keep          int
	keepFor       time.Duration
	errorText     bool
	router        []socket.RouterOption
}

type clientConfig struct {
	commonConfig
	timeout  time.Duration
	patience time.Duration
	budget   float64
	dealer   []socket.DealerOption
}

type callConfig struct {
	idempotent bool
	attempts   int
	key        string
	hedge      time.Duration
}

type (
	commonOption  func(c *commonConfig)
	serviceOption func(c *serviceConfig)
	clientOption  func(c *clientConfig)
	callOption    func(c *callConfig)
)

func (o commonOption) setService(c *serviceConfig)  { o(&c.commonConfig) }
func (o commonOption) setClient(c *clientConfig)    { o(&c.commonConfig) }
func (o serviceOption) setService(c *serviceConfig) { o(c) }
func (o clientOption) setClient(c *clientConfig)    { o(c) }
func (o callOption) setCall(c *callConfig)          { o(c) }

// WithCodec sets the codec of requests and replies: a client encodes with it, and a service decodes with it what says
// to be of its type. Requests of other types are decoded by the first that fits of several WithCodec, or of
// patterns.Msgpack, which is the default, patterns.JSON and patterns.Bytes. Replies are encoded as their requests are.
func WithCodec(c patterns.Codec) CommonOption {
	return commonOption(func(cfg *commonConfig) {
		if c != nil {
			cfg.codecs = append(cfg.codecs, c)
		}
	})
}

// WithMiddleware adds what is called around each call; the first is outermost. The option may be given several times.
func WithMiddleware(m ...Middleware) CommonOption {
	return commonOption(func(c *commonConfig) {
		for _, one := range m {
			if one != nil {
				c.middleware = append(c.middleware, one)
			}
		}
	})
}

// WithLogger says where to tell of what the other side is not told: panics of handlers, errors whose text does not
// cross, and peers that are no service or client. By default nobody is told. The sockets have a logger of their own,
// which this is not: see [WithRouter], [WithDealer] and socket.WithLogger.
func WithLogger(l *slog.Logger) CommonOption {
	return commonOption(func(c *commonConfig) { c.log = l })
}

// WithWindow sets how many bytes of items of one stream may wait to be read; an item counts 64 more than it has.
// Beside these there may be one item of any size. The default is 256 KiB, which 0 or less keeps; the least is a KiB.
func WithWindow(bytes int) CommonOption {
	return commonOption(func(c *commonConfig) {
		if c.window = bytes; bytes <= 0 {
			c.window = defaultWindow
		}
	})
}

// WithName says what yodel.info tells of the service: a name and a version, both for people. The default is none.
func WithName(name, version string) ServiceOption {
	return serviceOption(func(c *serviceConfig) { c.name, c.version = name, version })
}

// WithConcurrency sets how many handlers run at once. The default, and 0 or less, is as many as do not make each other
// slower, found by how long they take, up to 1,000; of those that compute no more than a few for each processor, found
// by whether calls end faster with more.
func WithConcurrency(n int) ServiceOption {
	return serviceOption(func(c *serviceConfig) { c.concurrency = max(n, 0) })
}

// WithQueue sets how many calls may wait for a handler, of all callers together, and for how long when there has been
// a queue for 100 ms without a break. What waits longer is refused with ErrOverloaded. The defaults are 1,000 and 5
// ms, which 0 or less keeps.
func WithQueue(n int, wait time.Duration) ServiceOption {
	return serviceOption(func(c *serviceConfig) { c.queue, c.wait = n, wait })
}

// WithGrace sets how long Serve waits for calls that run when its context has ended. The default is 30 s; 0 or less
// waits for none.
func WithGrace(d time.Duration) ServiceOption {
	return serviceOption(func(c *serviceConfig) { c.grace = max(d, 0) })
}

// WithDedup sets how many outcomes of calls with a key ([Once]) a service keeps, and for how long. Beyond 64 MiB of
// replies it keeps fewer, the newest; of a reply over 16 MiB it keeps only that the call was done. Calls that run are
// known in any case. The defaults are 10,000 and ten minutes, which 0 or less keeps.
func WithDedup(n int, d time.Duration) ServiceOption {
	return serviceOption(func(c *serviceConfig) {
		if c.keep, c.keepFor = n, d; n <= 0 {
			c.keep = defaultKeep
		}
		if d <= 0 {
			c.keepFor = defaultKeepFor
		}
	})
}

// WithErrorText lets the text of all errors cross to the caller. By default that of an error which is no
// [*patterns.Error] does not, as it may tell secrets.
func WithErrorText() ServiceOption {
	return serviceOption(func(c *serviceConfig) { c.errorText = true })
}

// WithRouter configures the ROUTER of a service.
func WithRouter(o ...socket.RouterOption) ServiceOption {
	return serviceOption(func(c *serviceConfig) { c.router = append(c.router, o...) })
}

// WithTimeout sets the deadline of calls whose context has none. The default is 30 s; 0 or less is no deadline.
func WithTimeout(d time.Duration) ClientOption {
	return clientOption(func(c *clientConfig) { c.timeout = max(d, 0) })
}

// WithPatience sets for how long a call waits for a replica, from when the client was made until it first has one, and
// from each Connect until the first attempt there has succeeded or failed. Later, and otherwise, a call without a
// replica fails at once, but for one with a key that waits so long for the replica that was lost ([Once]). The default
// is 3 s; 0 or less is not to wait.
func WithPatience(d time.Duration) ClientOption {
	return clientOption(func(c *clientConfig) { c.patience = max(d, 0) })
}

// WithRetryBudget sets how many retries there are to one call, on average; beside these there are ten a second.
// Without budget left there are no retries. The default is 0.2; 0 or less is no retries but of calls that no service
// has had.
func WithRetryBudget(ratio float64) ClientOption {
	return clientOption(func(c *clientConfig) { c.budget = ratio })
}

// WithDealer configures the DEALERs of a client, of which there is one for each endpoint.
func WithDealer(o ...socket.DealerOption) ClientOption {
	return clientOption(func(c *clientConfig) { c.dealer = append(c.dealer, o...) })
}

// Idempotent says that the call may be done twice, so that it is tried again when a replica is lost that may have
// begun it, and when it ends with the code unavailable or aborted. Without it, and without [Once], a call is tried
// again only if no handler has begun.
func Idempotent() CallOption { return callOption(func(c *callConfig) { c.idempotent = true }) }

// Attempts sets how often a call is sent at most. The default is 3; less than 1 is 1.
func Attempts(n int) CallOption { return callOption(func(c *callConfig) { c.attempts = max(n, 1) }) }

// Once gives the call a key, of at most 64 bytes, so that no handler of a [Service] begins twice for it: a service
// remembers the key and the reply ([WithDedup]), and another call of the same method with the same key gets the same
// reply, be it an error, once there is one. The handler goes on when the caller is lost or gives up; its context ends
// by the deadline of the call that came first, and with the service. Who knows a key gets its reply, where middleware
// lets them, so that it should be hard to guess. "" is no key.
//
// A call that is lost is tried again, within the budget, but only at the service that has had it: another one would do
// it a second time, and so would the same after a restart. That service may come back within the time of WithPatience.
// If it does not the [CallError] says so, matches socket.ErrPeerLost and has MayHaveRun set, as also for each call with
// the key from then on: what became of the first one cannot be known. A client remembers for ten minutes where its
// calls went, of the last 10,000. Other clients do not know it, and plain ZeroMQ knows no keys: a call that must never
// be done twice needs its key in the application's own transaction.
//
// With [Idempotent] too a call may go to other replicas, each of which does it once.
func Once(key string) CallOption { return callOption(func(c *callConfig) { c.key = key }) }

// Hedge sends a call that takes longer than d to a second replica as well, if there is one and the budget of retries
// allows it. The first reply counts, unless the other may have a better one: a replica that is lost or refuses the
// call leaves it to the other. Whichever is not needed is cancelled. As both may do the call it must be [Idempotent],
// or ends with an error. A d such as the time in which 95 of 100 calls end costs little and spares most of the wait
// for the slowest. 0 or less is not to hedge.
func Hedge(d time.Duration) CallOption { return callOption(func(c *callConfig) { c.hedge = d }) }

func serviceConfigOf(opts []ServiceOption) serviceConfig {
	c := serviceConfig{
		commonConfig: commonConfig{window: defaultWindow}, grace: defaultGrace,
		keep: defaultKeep, keepFor: defaultKeepFor,
	}
	for _, o := range opts {
		if o != nil {
			o.setService(&c)
		}
	}
	c.log = orSilent(c.log)
	return c
}

func clientConfigOf(opts []ClientOption) clientConfig {
	c := clientConfig{
		commonConfig: commonConfig{window: defaultWindow},
		timeout:      defaultTimeout, patience: defaultPatience, budget: defaultBudget,
	}
	for _, o := range opts {
		if o != nil {
			o.setClient(&c)
		}
	}
	c.log = orSilent(c.log)
	return c
}

func callConfigOf(opts []CallOption) callConfig {
	c := callConfig{attempts: defaultAttempts}
	for _, o := range opts {
		if o != nil {
			o.setCall(&c)
		}
	}
	return c
}

func orSilent(l *slog.Logger) *slog.Logger {
	if l == nil {
		return slog.New(slog.DiscardHandler)
	}
	return l
}
