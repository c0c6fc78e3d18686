package main

import (
	"context"

	"github.com/yodel-mq/yodel/socket"
)

// A verb is one socket type as a command.
type verb struct {
	name  string
	short string
	long  string
	can   ability
	open  func(f *socketFlags) socket.Socket
	run   func(ctx context.Context, s *session) error
}

// ability says which flags a verb has.
type ability int

const (
	sends      ability = 1 << iota // takes messages from standard input, --data or --file
	prints                         // prints messages
	replies                        // answers requests
	converses                      // sends and prints at once, with no turns to keep
	publishes                      // sends by topic
	subscribes                     // receives by topic
	spools                         // takes --spool
	dedups                         // takes --dedup
	overflows                      // takes --overflow
)

// names reports whether the verb takes --subscriber.
func (v *verb) names() bool { return v.is(subscribes | dedups) }

// is reports whether the verb has all these abilities.
func (v *verb) is(a ability) bool { return v.can&a == a }

// help is what the verb says of itself.
func (v *verb) help() string {
	text := v.short + ".\n\n" + v.long + "\n\n"
	if v.is(overflows) {
		text += overflowHelp + "\n\n"
	}
	switch {
	case v.is(spools | publishes):
		text += keeperHelp + "\n\n"
	case v.is(spools):
		text += storeHelp + "\n\n"
	}
	if v.is(dedups) {
		text += dedupHelp + "\n\n"
	}
	if v.names() {
		text += subscriberHelp + "\n\n"
	}
	return text + commonHelp
}

var verbs = []*verb{
	{
		name: "push", can: sends | spools | overflows, run: runSend,
		short: "Send each line to one of the connected PULL peers, in turn",
		long:  sendHelp,
		open:  func(f *socketFlags) socket.Socket { return socket.NewPush(options[socket.PushOption](f)...) },
	},
	{
		name: "pull", can: prints | dedups, run: runRecv,
		short: "Print what PUSH peers send",
		long:  recvHelp,
		open:  func(f *socketFlags) socket.Socket { return socket.NewPull(options[socket.PullOption](f)...) },
	},
	{
		name: "pub", can: sends | publishes | spools | overflows, run: runSend,
		short: "Publish each line to every subscribed SUB peer",
		long: `The first frame of a message is its topic: --topic, or else what stands before the first delimiter of the
line. Before the first message pub waits for --wait subscribers (1 by default) to that message's topic; use
--wait 0 not to wait. A message that nobody has subscribed to is dropped, as is one for a subscriber that
cannot keep up; both are counted in the summary and are no failure.

` + sendHelp,
		open: func(f *socketFlags) socket.Socket { return socket.NewPub(options[socket.PubOption](f)...) },
	},
	{
		name: "sub", can: prints | subscribes | dedups, run: runRecv,
		short: "Print what PUB peers publish",
		long: `--topic may be given several times; a message is received if its first frame starts with one of them. Without
--topic everything is received.

` + recvHelp,
		open: func(f *socketFlags) socket.Socket {
			opts := append(options[socket.SubOption](f), socket.WithSubscription(f.subscriptions()...))
			return socket.NewSub(append(opts, socket.WithSubscriberName(f.subscriber, socket.DurableOptions{}))...)
		},
	},
	{
		name: "req", can: sends | prints, run: runRequests,
		short: "Send each line as a request and print the reply",
		long:  requestHelp,
		open:  func(f *socketFlags) socket.Socket { return socket.NewReq(options[socket.ReqOption](f)...) },
	},
	{
		name: "rep", can: replies | overflows, run: runReplies,
		short: "Answer requests, by echo or by a command",
		long:  replyHelp,
		open:  func(f *socketFlags) socket.Socket { return socket.NewRep(options[socket.RepOption](f)...) },
	},
	{
		name: "pair", can: sends | prints | converses | overflows, run: runTwoWay,
		short: "Exchange lines with one PAIR peer",
		long:  twoWayHelp,
		open:  func(f *socketFlags) socket.Socket { return socket.NewPair(options[socket.PairOption](f)...) },
	},
	{
		name: "dealer", can: sends | prints | converses | spools | overflows, run: runTwoWay,
		short: "Send each line to one of the REP, DEALER or ROUTER peers, in turn, and print what they send",
		long: `A REP peer takes a message, and answers it, with an empty frame in front: a line that begins with the
delimiter.

` + twoWayHelp,
		open: func(f *socketFlags) socket.Socket { return socket.NewDealer(options[socket.DealerOption](f)...) },
	},
	{
		name: "router", can: sends | prints | converses | dedups | overflows, run: runTwoWay,
		short: "Exchange lines with REQ, DEALER or ROUTER peers, each led by the peer's identity",
		long: `The first frame of a message is the identity of the peer it came from, and the first field of a line is that
of the peer it is for. A line for a peer that is not there is reported at once, not sent, and makes the status
1 at the end; --wait N waits for N peers first. The identity of a peer that has none is five bytes that are no
text, and may contain the delimiter or a newline: with --format quoted --input quoted (or hex, or json) what
is printed can be sent back.

` + twoWayHelp,
		open: func(f *socketFlags) socket.Socket { return socket.NewRouter(options[socket.RouterOption](f)...) },
	},
	{
		name: "xpub", can: sends | prints | converses | publishes | overflows, run: runTwoWay,
		short: "Publish each line to every subscribed peer and print the subscriptions",
		long: `The first frame of a message sent is its topic: --topic, or else what stands before the first delimiter of the
line. --wait N waits for N subscribers to the topic of the first one. What nobody has subscribed to is dropped
and counted.

What is printed are the first subscription of all peers to a topic, one frame of the byte 1 and the topic, its
last cancellation, the byte 0 and the topic, and what XSUB peers send. In words they are told on standard
error, and by --format json in the keys "event" ("subscribe" or "cancel") and "topic". --count counts them as
messages.

` + twoWayHelp,
		open: func(f *socketFlags) socket.Socket { return socket.NewXPub(options[socket.XPubOption](f)...) },
	},
	{
		name: "xsub", can: sends | prints | converses | subscribes, run: runTwoWay,
		short: "Print what PUB and XPUB peers publish, subscribe by lines and send lines upstream",
		long: `A line of one frame that begins with the byte 1 subscribes to the rest of it, the byte 0 cancels; with --input
quoted that is "\x01topic" and "\x00topic". --topic subscribes from the start and may be given several times;
"" is everything. Without either nothing is received. Any other line goes to every peer.

` + twoWayHelp,
		open: func(f *socketFlags) socket.Socket {
			return socket.NewXSub(append(options[socket.XSubOption](f), socket.WithSubscription(f.topics...))...)
		},
	},
}

// options turns the flags that every socket has into options of one role.
func options[T any](f *socketFlags) []T {
	var opts []T
	add := func(o any) { opts = append(opts, o.(T)) }
	add(socket.WithSendHWM(f.hwm))
	add(socket.WithRecvHWM(f.hwm))
	if f.slowLimit > 0 {
		add(socket.WithSlowPeer(0, f.slowLimit))
	}
	if f.store != nil {
		add(socket.WithSpool(f.store))
	} else if f.overflow != "" {
		add(socket.WithOverflow(overflowPolicies[f.overflow]))
	}
	if f.taken != nil {
		add(socket.WithTakenIn(f.taken))
		add(socket.WithManualAck())
	}
	if f.id != "" {
		add(socket.WithIdentity(f.id))
	}
	return append(opts, secured[T](&f.security)...)
}

// secured are the options that come of the flags on who may talk to whom.
func secured[T any](s *security) (opts []T) {
	for _, o := range s.options {
		opts = append(opts, o.(T))
	}
	return opts
}
