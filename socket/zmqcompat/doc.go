// Package zmqcompat is the API of github.com/go-zeromq/zmq4 on the engine of package socket. A program written for
// go-zeromq moves over by changing one import:
//
//	import zmq4 "github.com/yodel-mq/yodel/socket/zmqcompat" // was "github.com/go-zeromq/zmq4"
//
//	sub := zmq4.NewSub(ctx, zmq4.WithID(zmq4.SocketIdentity("s1")))
//	defer sub.Close()
//	sub.SetOption(zmq4.OptionSubscribe, "quotes.")
//	sub.Dial("tcp://host:5556")
//
// [Socket], [Msg] and the other types are aliases of go-zeromq's, so that code typed on the original takes these
// sockets and the two kinds talk to each other. New code should use package socket: it has a type for each role, a
// context on each call, events and statistics. [Engine] gives access to that under a socket of this package.
//
// # What holds for every socket
//
// Constructors return a socket that neither listens nor has dialled, and do no I/O. The context is the socket's
// lifeline: when it ends the socket closes; nil means that only Close does that. Any number of goroutines may use a
// socket.
//
//	Listen     binds; when it returns peers can connect. A tcp port of 0, * or nothing is any free one. May be repeated
//	Addr       where the socket listens, of several places the last; nil if nowhere
//	Dial       connects, and waits for the first handshake as long as the options say; then connects again by itself
//	Send       copies the message and waits for room, at most for the time of WithTimeout. SendMulti is the same
//	Recv       waits for a message until the socket closes or, after WithAutomaticReconnect(false), a connection ends
//	SetOption  takes OptionSubscribe, OptionUnsubscribe and OptionHWM
//	GetOption  returns what was set, or the default of OptionHWM
//	Close      gives what is queued 700 ms to leave, and returns within a second, always nil
//
// # What is different
//
//	                        go-zeromq v0.17.0                    here
//	Dial                    11 attempts in 2.75 s, then an       the same budget, in 2.5 to 5 s, then an error; but once
//	                        error; never connects again          connected it connects again for ever, to every endpoint
//	WithDialerMaxRetries    -1: Dial blocks, maybe for ever      -1: Dial returns at once; connecting goes on
//	WithAutomaticReconnect  off, or redials the last endpoint    on, for every endpoint; as there only with an explicit
//	                                                             false
//	Dial, wrong peer        an error at once                     the same (errors.Is zmtp.ErrSocketType)
//	Dial of a wildcard      goes to this machine                 the same
//	Listen, several         the first one leaks                  all of them work
//	a peer leaves           Recv returns io.EOF on some types    Recv goes on, a REQ gets socket.ErrPeerLost; as there
//	                                                             io.EOF after WithAutomaticReconnect(false)
//	PUSH, DEALER            every peer gets every message        one peer gets it, in turn
//	no peers                Send returns nil, message is lost    Send queues if it has dialled, or waits for up to
//	                                                             WithTimeout
//	Send                    returns when the kernel has it       returns when queued, up to OptionHWM; Close before you
//	                                                             exit gives what is queued 700 ms
//	WithTimeout             Send gives up, half a message out    Send gives up; all of the message or nothing
//	Msg passed to Send      yours again after Send               the same (it is copied)
//	OptionHWM               PUB only, one queue, no limit        any type, per peer, 1,000; not after the first use
//	OptionSubscribe         string; a set; panics on []byte      string or []byte; counted
//	OptionSubscribe, XSUB   no effect                            subscribes
//	other options           kept, to no effect                   ErrBadProperty
//	XPUB Recv               never shows subscriptions            does, so that NewProxy passes them on
//	REQ                     no turns                             strict turns: socket.ErrState for a call out of turn
//	REP                     Recv waits for the next request,     the same; a second reply to one request is dropped, and
//	                        which replaces one without a reply   one before any request is socket.ErrState
//	REQ without a peer      an error                             waits for one
//	REP, client gone        the reply is dropped                 the same
//	ROUTER, unknown id      dropped                              dropped, and counted in the Stats of Engine
//	ROUTER, id in use       both peers get everything            the newer peer has it
//	no WithID               a random identity                    none; a ROUTER gives one
//	end of the context      calls fail with its error            the same (errors.Is), and the socket closes for good
//	errors                  mostly bare                          wrapped: use errors.Is, not ==
//	WithLogger              stderr by default                    silent by default
//	WithSecurity            PLAIN, which checks nothing          NULL only; an error from Dial and Listen for the rest
//	Send of a CmdMsg        a raw command                        an error
//	protocol                ZMTP 3.0                             ZMTP 3.1, and 3.0 to peers that speak it
//
// Left out, so that code which needs them keeps the original import beside this one: the wire level (Open, Conn, Cmd,
// Metadata, Property), the unused Queue, and the sockets over cgo.
//
// # What has been tried
//
// go-zeromq's own tests are run with the import switched (.ci/compat, a step of CI); testdata/original_tests.txt has
// those that differ, each with its reason. The Jupyter kernels gophernotes and gonb, driven by Jupyter's own client,
// and zero-monitor, which greets its server again after io.EOF, work with the import switched: `bash .ci/programs`
// builds and drives them.
//
// # How it works
//
// Start reading at sock in socket.go. constructors.go says what each type is made of, role.go and topics.go what a
// type does differently from the engine's. A message goes through message.go and is copied on the way out; dial.go
// turns the engine's events into the one error that Dial returns. The socket underneath is made when it is first
// used.
package zmqcompat
