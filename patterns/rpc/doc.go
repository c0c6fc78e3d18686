// Package rpc is typed request and reply: a [Service] has methods, which a [Client] calls, over any transport and with
// any number of replicas.
//
//	svc := rpc.NewService()
//	rpc.Handle(svc, "add", func(ctx context.Context, in AddRequest) (Sum, error) { return Sum{in.A + in.B}, nil })
//	svc.Bind(ctx, "tcp://*:7001")
//	svc.Serve(ctx)
//
//	client := rpc.NewClient()
//	defer client.Close()
//	client.Connect("tcp://10.0.0.7:7001")
//	sum, err := rpc.Call[Sum](ctx, client, "add", AddRequest{1, 2})
//
// A [Method] says in one line what both sides agree on.
//
// # A call
//
// The client sends the request to the replica with fewest calls out, and with it how much time is left. There a
// handler gets it, with a context that ends when that time is over, when the caller gives up, or when its connection
// is lost. What the handler returns is what Call returns: the reply, or an error that has a code ([patterns.Error]).
// If no reply has come the error is a [CallError], which says whether the handler may have run.
//
// Without a replica that takes calls a call ends at once with [ErrNoResponders], unless one may be about to come
// ([WithPatience]).
//
// A call is tried again, at another replica, if no handler has begun it: if it was not sent, or the replica shuts down
// or has too much to do. Otherwise only if it is [Idempotent], so that it may be done twice, or has a key ([Once]), so
// that its service does it once: then it is tried again at that same service. An idempotent call can also be sent to a
// second replica when the first takes long ([Hedge]). How much all of that may add to the calls there are is bounded
// ([WithRetryBudget]).
//
//	                              Once                          Idempotent
//	another call, the same key    the same reply, one handler   -
//	the connection is lost        again, at the same service    again, at any
//	the service is gone           an error with MayHaveRun      again, at another
//	the caller gives up           the handler goes on           the handler's context ends
//	Hedge                         an error                      a second replica
//
// With both a call goes wherever an idempotent one does, and each service does it once.
//
// # Overload
//
// A service runs as many handlers at once as do not slow each other down. Other calls wait, in a queue for each
// caller, for a few milliseconds. What then has no turn is refused with [ErrOverloaded], which costs little, so that a
// service does about as much under ten times the load as under its own. Callers leave it alone for the time that it
// names.
//
// # The end of a service
//
// Serve ends in order: callers are told to go elsewhere, calls that run end, and then the connections do. So replicas
// can be restarted one after the other without an error anywhere.
//
// # Plain ZeroMQ
//
// REQ, DEALER and ROUTER sockets can call a Service, and a Client can call REP, ROUTER and DEALER sockets. WIRE.md of
// package patterns has the bytes. They learn nothing of cancelled calls and of services that shut down.
//
// # Where to start reading
//
// service_calls.go (what becomes of a call that comes), service_run.go (the handler), client_call.go and
// client_attempt.go (attempts), client_pick.go (where they go) and client_replica.go (what comes from a replica);
// service_once.go and client_once.go for calls with keys. The decisions are in packages of their own: gate (what runs,
// waits and is refused), balance (which replica, and whether again), once (what is kept), line (connections).
package rpc
