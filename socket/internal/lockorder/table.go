package lockorder

// Table says which lock may be taken while which is held. A lock that is taken while several are held needs a rule for
// each of them. The table allows no circle; a test sees to that.
var Table = []Rule{
	// A subscription is told to the peers in the order in which the application makes it.
	{subscriptions, wanted, OneSocket, "a topic becomes wanted: subscriptions.want"},
	{subscriptions, commandLog, OneSocket, "and is put in the log for peers over bytes: commandLog.add"},
	{subscriptions, outbox, OneSocket, "whose links are made to send it: subscriptions.broadcast"},
	{subscriptions, subscribing, TwoSockets, "a publisher in this process has it at once: inproc.subscribe"},
	{subscriptions, outbox, TwoSockets, "where it enters its tree: subscribers.change"},
	{subscriptions, inbox, TwoSockets, "and an XPub's application is to see it: inbox.notify"},
	{subscriptions, inbox, OneSocket, "and last values come back to where it came from: inproc.offer"},
	{subscriptions, events, TwoSockets, "or it is refused: subscribers.refuse"},
	{subscriptions, heartbeat, TwoSockets, "or last values fill the queue: link.filled"},

	// What a publisher does about a subscription of a peer in this process; the subscriber's changes are held too.
	{subscribing, outbox, OneSocket, "subscribers.change"},
	{subscribing, inbox, OneSocket, "inbox.notify"},
	{subscribing, inbox, TwoSockets, "last values: inproc.offer"},
	{subscribing, events, OneSocket, "subscribers.refuse"},
	{subscribing, heartbeat, OneSocket, "link.filled"},

	// A peer's subscriptions are removed a few at a time.
	{leaving, outbox, OneSocket, "lockTurn.next"},
	{leaving, inbox, OneSocket, "the application of an XPub is to see it: inbox.notify"},

	// Sending.
	{outbox, inbox, TwoSockets, "a message moves into the queue of a peer in this process: inproc.offer"},
	{
		outbox, inbox, OneSocket,
		"a link joins both ways: outbox.add; what the application waits for is told: inbox.notify, inbox.poke",
	},
	{outbox, recv, OneSocket, "what an earlier link has queued of a stream is put in front: inbox.inherit"},
	{outbox, req, OneSocket, "the request goes to a peer, or to none: Req.assigned, Req.abandoned"},
	{outbox, commandLog, OneSocket, "a link sends its socket's subscriptions: link.loadSubscriptions"},
	{outbox, heartbeat, OneSocket, "a full link is to be looked after: link.filled"},
	{outbox, events, OneSocket, "SlowPeer, Dropped, Undelivered: link.nameSlow, link.hasOpened, link.begun"},

	// Receiving.
	{recv, inbox, OneSocket, "inbox.get"},
	{recv, heartbeat, OneSocket, "what was received is to be acknowledged: stream.arm"},
	{recv, wanted, OneSocket, "a message is looked at as it is handed out: subscriptions.filter"},
	{recv, req, OneSocket, "Req.takeReply, Req.stop"},
	{recv, rep, OneSocket, "Rep.takeRequest"},
	{inbox, wanted, OneSocket, "subscriptions.filter"},
	{inbox, req, OneSocket, "Req.takeReply, Req.stop"},
	{inbox, rep, OneSocket, "Rep.takeRequest"},
	{inbox, heartbeat, OneSocket, "a message under way is to be looked after: inbox.room"},
	{inbox, events, OneSocket, "Throttled: link.nameCongestion"},
	{inbox, heartbeat, TwoSockets, "the queue of a peer in this process is full: link.filled, by inproc.offer"},
}
