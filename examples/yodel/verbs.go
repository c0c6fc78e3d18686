package main

import (
	"context"
	"iter"

	"github.com/yodel-mq/yodel/socket"
)

// A verb is one socket type as a command.
type verb struct {
	name  string
	short string
	long  string
	can   ability
	open  func(f *socketFlags) anySocket
	run   func(ctx context.Context, s *session) error
}

// ability says which flags a verb has.
type ability int

const (
	sends      ability = 1 << iota // takes messages from standard input, --data or --file
	prints                         // prints messages
	replies                        // answers requests
	publishes                      // sends by topic
	subscribes                     // receives by topic
	spools                         // will take --spool
	dedups                         // will take --dedup
)

func (v *verb) is(a ability) bool { return v.can&a != 0 }

// anySocket is what every socket can do.
type anySocket interface {
	Type() string
	Bind(ctx context.Context, endpoint string) (actual string, err error)
	Connect(endpoint string) error
	WaitPeers(ctx context.Context, n int) error
	Events(ctx context.Context) iter.Seq[socket.Event]
	Stats() socket.Stats
	Shutdown(ctx context.Context) error
	Close() error
}

// sender and receiver are the two directions; Req and Rep have both.
type (
	sender interface {
		anySocket
		Send(ctx context.Context, m socket.Msg) error
		TrySend(m socket.Msg) error
	}
	receiver interface {
		anySocket
		Recv(ctx context.Context) (socket.Msg, error)
	}
)

var verbs = []*verb{
	{
		name: "push", can: sends | spools, run: runSend,
		short: "Send each line to one of the connected PULL peers, in turn",
		long:  sendHelp,
		open:  func(f *socketFlags) anySocket { return socket.NewPush(options[socket.PushOption](f)...) },
	},
	{
		name: "pull", can: prints | dedups, run: runRecv,
		short: "Print what PUSH peers send",
		long:  recvHelp,
		open:  func(f *socketFlags) anySocket { return socket.NewPull(options[socket.PullOption](f)...) },
	},
	{
		name: "pub", can: sends | publishes | spools, run: runSend,
		short: "Publish each line to every subscribed SUB peer",
		long: `The first frame of a message is its topic: --topic, or else what stands before the first delimiter of the line. Before
the first message pub waits for --wait subscribers (1 by default) to that message's topic; use --wait 0 not to wait.
A message that nobody has subscribed to is dropped, as is one for a subscriber that cannot keep up; both are counted
in the summary and are no failure.

` + sendHelp,
		open: func(f *socketFlags) anySocket { return socket.NewPub(options[socket.PubOption](f)...) },
	},
	{
		name: "sub", can: prints | subscribes | dedups, run: runRecv,
		short: "Print what PUB peers publish",
		long: `--topic may be given several times; a message is received if its first frame starts with one of them. Without
--topic everything is received.

` + recvHelp,
		open: func(f *socketFlags) anySocket {
			return socket.NewSub(append(options[socket.SubOption](f), socket.WithSubscription(f.subscriptions()...))...)
		},
	},
	{
		name: "req", can: sends | prints, run: runRequests,
		short: "Send each line as a request and print the reply",
		long:  requestHelp,
		open:  func(f *socketFlags) anySocket { return socket.NewReq(options[socket.ReqOption](f)...) },
	},
	{
		name: "rep", can: replies, run: runReplies,
		short: "Answer requests, by echo or by a command",
		long:  replyHelp,
		open:  func(f *socketFlags) anySocket { return socket.NewRep(options[socket.RepOption](f)...) },
	},
}

// options turns the flags that every socket has into options of one role.
func options[T any](f *socketFlags) []T {
	var opts []T
	add := func(o socket.Option) { opts = append(opts, o.(T)) }
	add(socket.WithSendHWM(f.hwm))
	add(socket.WithRecvHWM(f.hwm))
	if f.id != "" {
		add(socket.WithIdentity(f.id))
	}
	return opts
}
