// Package proxy forwards messages between two sockets: what libzmq calls zmq_proxy, a queue, a forwarder or a streamer.
//
//	clients, workers := socket.NewRouter(), socket.NewDealer()
//	…
//	err := proxy.Run(ctx, clients, workers)
//
// With [WithAffinity] all messages of one envelope go to one worker.
//
// It uses exported methods of package socket only, so that a forwarder of your own can do what this one does: Recv, a
// copy by [socket.Msg.Clone] for each further receiver, and Send or, so that no single peer of a [socket.Router] holds
// up the others, [socket.Router.SendOrDrop]. An [socket.XPub] hands out subscriptions as messages and an [socket.XSub]
// takes them, which is how they pass upstream.
package proxy
