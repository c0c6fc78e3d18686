package sockettest

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
)

// A Factory describes one pairing of two implementations over one transport, for [Run].
type Factory struct {
	// Local is the side the behaviours are about, Remote plays its counterparts. Run a pairing both ways round to
	// look at both sides.
	Local, Remote Side

	// Endpoint returns an endpoint that nobody uses yet, to bind to. A wildcard in it is fine where Bind fills it in.
	Endpoint func(t testing.TB) string

	// Dial connects to a bound endpoint without a socket, for peers that the suite plays itself byte by byte, and for
	// connections that it passes on and cuts. Nil means that the transport has no bytes (inproc); what needs it is then
	// not run.
	Dial func(ctx context.Context, endpoint string) (net.Conn, error)

	// Lacks names what this pairing cannot express beyond what its sides lack, with the reason.
	Lacks map[Capability]string

	// ExpectedFailures holds behaviours, by their full name such as "pipeline/round-robin", that are known to fail,
	// each with the reason. One that passes is tried again, and is an error when it passes every time, so that the
	// table stays true. What fails only now and then does not belong here: see [Side.Attempts].
	ExpectedFailures map[string]string

	// NotRun holds behaviours that must not even be tried, with the reason: they would end the process, say, or fail so
	// often that attempts do not help.
	NotRun map[string]string

	// Patience bounds each wait for something that should happen; nothing is measured against it. The default is 15 s.
	// Expected failures are given a tenth of it.
	Patience time.Duration
}

// A Side is one implementation.
type Side struct {
	// Name stands in messages, for example "libzmq".
	Name string
	// New makes a socket.
	New Maker
	// Lacks names what the implementation cannot express, with the reason.
	Lacks map[Capability]string
	// Attempts is how often a behaviour may be tried; the default is 1. More is for an implementation that is known
	// to fail by chance: a behaviour then fails only if it fails every time, and each failure is logged. Of the two
	// sides of a pairing the larger number counts, but a ledger that does not balance, and a Close that fails, are
	// errors at once for the side that has one attempt.
	Attempts int
}

// A Maker makes a socket of a role, named as in ZMTP ("PUSH"), that is neither bound nor connected. The suite closes
// it. A Maker ends the test if it cannot make one.
type Maker func(t testing.TB, role string, o Options) Socket

// A Socket is what the suite asks of a socket of any role. What a role does not have returns an error. Methods may be
// called from several goroutines only if the side does not lack [ManyGoroutines].
type Socket interface {
	// Bind returns the actual endpoint, in which wildcards are filled in.
	Bind(ctx context.Context, endpoint string) (actual string, err error)
	Unbind(endpoint string) error
	// Connect returns at once, whether or not somebody listens there.
	Connect(endpoint string) error
	Disconnect(endpoint string) error
	// Send gives a message to the socket, waiting for room until ctx ends. The socket may keep the frames.
	Send(ctx context.Context, frames [][]byte) error
	// Recv returns the next message, waiting for one until ctx ends.
	Recv(ctx context.Context) (frames [][]byte, err error)
	// Subscribe is for SUB, and for XPUB with [Options.Manual].
	Subscribe(topic string) error
	Unsubscribe(topic string) error
	// WaitPeers waits until the socket has exactly n peers with which the handshake is done. A binding that cannot tell
	// lacks [PeerCount], and returns nil as soon as it has done what it can.
	WaitPeers(ctx context.Context, n int) error
	// Close lets queued messages leave for a while, as the implementation does by default.
	Close() error
}

// A Ledgered is a Socket that keeps a ledger, which the suite then checks.
type Ledgered interface {
	Stats() socket.Stats
}

// A Namer is a ROUTER that can choose how it knows a peer that it connects to, whatever that peer calls itself.
type Namer interface {
	ConnectAs(endpoint, name string) error
}

// A Killer is a Socket in a process of its own. Kill ends that process without any farewell, and returns when it is
// gone.
type Killer interface {
	Kill()
}

// Options are what behaviours ask of a new socket. Zero values ask for nothing. A Maker may ignore what its side lacks.
type Options struct {
	Identity string // what the socket calls itself
	SendHWM  int    // high-water mark of the way out, in messages
	RecvHWM  int    // and of the way in

	Immediate bool // PUSH, DEALER: no queue for an endpoint that is not connected
	Latest    bool // PULL, SUB: keep only the newest message
	Probe     bool // DEALER: send an empty message to each new peer
	NoDrop    bool // PUB, XPUB: wait instead of dropping
	Block     bool // ROUTER: wait for a full peer
	Mandatory bool // ROUTER: Send returns an error for an identity that nobody has
	Handover  bool // ROUTER: the newest peer takes an identity over
	Correlate bool // REQ: number the requests. Without, exactly one empty frame stands before the request
	Relaxed   bool // REQ: a new request before the reply to the last
	Verbose   bool // XPUB: hand over every subscription
	Verboser  bool // XPUB: hand over every cancellation too
	Manual    bool // XPUB: Subscribe and Unsubscribe decide for the peer whose subscription was received last

	Welcome   string // XPUB: a message of one frame for each new peer, before all others
	LastValue int    // PUB, XPUB: of how many topics to keep the last message, for new subscribers

	// Heartbeat is the interval between PINGs, Timeout the silence after which a peer is dropped, TTL the time
	// announced to the peer. Zero leaves them as they are by default; a Heartbeat comes with a Timeout.
	Heartbeat, Timeout, TTL time.Duration

	MaxMessage int64             // the largest message taken from a peer, in bytes
	Handshake  time.Duration     // how long a handshake may take
	Metadata   map[string]string // properties to tell peers; names begin with "X-"

	// Killable asks for a process of the socket's own; see [Killer].
	Killable bool
}

// A Capability is something that not every binding or transport can express. Behaviours say which they need.
type Capability string

// What a side may lack.
const (
	// CallContext: a context ends the one call of Send or Recv it is given to. Nothing was sent then, nothing is lost.
	CallContext Capability = "a context for each call"
	// PeerCount: WaitPeers knows how many peers a bound socket has.
	PeerCount Capability = "counting the peers of a bound socket"
	// ManyEndpoints: one socket can be bound to several endpoints and be connected to others.
	ManyEndpoints Capability = "several endpoints for one socket"
	// Unbinding: Unbind and Disconnect.
	Unbinding Capability = "unbind and disconnect"
	// ManyGoroutines: one socket may be used by any number of goroutines.
	ManyGoroutines Capability = "use by many goroutines"
	// CloseWakes: Close may be called while another goroutine waits in Send or Recv.
	CloseWakes Capability = "close while others wait"
	// HighWaterMarks: [Options.SendHWM] and [Options.RecvHWM].
	HighWaterMarks Capability = "high-water marks"
	// Identities: [Options.Identity].
	Identities Capability = "identities"
	// ImmediateOption and those below: the options of the same name.
	ImmediateOption Capability = "option: immediate"
	LatestOption    Capability = "option: latest"
	ProbeOption     Capability = "option: probe"
	NoDropOption    Capability = "option: no drop"
	MandatoryOption Capability = "option: mandatory"
	HandoverOption  Capability = "option: handover"
	CorrelateOption Capability = "option: correlate"
	RelaxedOption   Capability = "option: relaxed"
	VerboseOption   Capability = "option: verbose"
	ManualOption    Capability = "option: manual"
	WelcomeOption   Capability = "option: welcome"
	LastValueOption Capability = "option: last value"
	// PlainRequests: a REQ that sends exactly one empty frame before the request when [Options.Correlate] is false.
	PlainRequests Capability = "requests without a number"
	// Naming: ROUTERs are Namers.
	Naming Capability = "naming a peer"
	// Killing: sockets made with [Options.Killable] are Killers.
	Killing Capability = "a process to kill"
)

// What a pairing may lack.
const (
	// Cuts: [Factory.Dial], and sockets that can connect over tcp.
	Cuts Capability = "connections to cut"
	// RawPeers: [Factory.Dial], and a local side that is to be exposed to peers of the suite's own making.
	RawPeers Capability = "raw peers"
	// ExactQueues: nothing but the two high-water marks holds messages, as over inproc; a kernel has buffers.
	ExactQueues Capability = "queues that nothing but the high-water marks sizes"
)

// lacking returns the first thing that the pairing lacks for a behaviour.
func (f *Factory) lacking(b behaviour) (what Capability, who, why string) {
	for _, c := range b.needs {
		if (c == RawPeers || c == Cuts) && f.Dial == nil {
			return c, "the pairing", "the factory has no Dial"
		}
		if why, ok := f.Lacks[c]; ok {
			return c, "the pairing", why
		}
		if why, ok := f.Local.Lacks[c]; ok {
			return c, "the local side, " + f.Local.Name + ",", why
		}
	}
	for _, c := range b.remote {
		if why, ok := f.Remote.Lacks[c]; ok {
			return c, "the remote side, " + f.Remote.Name + ",", why
		}
	}
	return "", "", ""
}
