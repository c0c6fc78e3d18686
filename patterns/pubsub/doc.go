// Package pubsub is typed publish and subscribe: a [Publisher] sends values under subjects, and each [Subscriber]
// gets those whose subject matches one of its patterns.
//
//	pub := pubsub.NewPublisher[Quote]()                sub := pubsub.NewSubscriber[Quote]()
//	pub.Bind(ctx, "tcp://*:5556")                      sub.Subscribe("quotes.*.sap")
//	pub.Publish(ctx, "quotes.eu.sap", Quote{101.5})    sub.Connect("tcp://10.0.0.7:5556")
//	                                                   for q, err := range sub.Events(ctx) { … }
//
// # Subjects
//
// A subject is 1 to 16 tokens with dots between them, at most 255 bytes of UTF-8. No token is empty, or has a NUL,
// "*", ">" or "#" in it. In a pattern "*" is any one token; ">", as the last one, one or more; "#", as the last one,
// any number, also none. Without wildcards a pattern is just the subject that it is: "a" does not match "ab", as it
// would for a ZeroMQ SUB, nor "a.b".
//
// # How events flow
//
//	Publish ── encoded, numbered, matched ── a queue for each subscriber
//	                                             │ ZeroMQ
//	                                         a reader for each publisher ── Events
//
// A publisher sends to each subscriber what matches, and nothing else. It waits for none: once the queue of one is
// full (see [socket.WithSendHWM]), that one misses events. It is told how many, exactly: now and then the publisher
// sends a beat that says how many events were meant for this connection, and [Event.Missed] has what did not come.
//
// # The past, and lost connections
//
// A publisher may keep the newest event of each subject ([WithLastValue]) and the newest of all ([WithReplay]), for
// those who ask ([Last], [Replay]). What it does not keep it says, as an error from Events that matches [ErrRefused].
// Behind a lost connection [Event.Missed] is -1, unless nothing was published meanwhile, or a replay has brought all
// of it.
//
// # Groups
//
// Of those who subscribe to the same pattern with the same [Group] one gets each event. The publisher chooses, by who
// has the fewest at hand, and keeps the event until it is acknowledged; what a member had that is lost goes to others
// at once. All of it lasts as long as the publisher lives, and no longer: Shutdown does not wait for acknowledgements.
//
// # Durable subscriptions
//
// A publisher with a spool ([WithSpool]) keeps on disk what is for subscriptions that are [Durable], until it is
// acknowledged: what is published while the subscriber is away, and what waits while the publisher's process is dead,
// comes when both are there, once and in order. What the spool has dropped is in [Event.Missed]. Groups are not on
// disk.
//
// # Peers of other kinds
//
// A SUB of any ZeroMQ library gets from a publisher what begins with the prefixes that it has subscribed to: three
// frames, the subject, the head and the body, as WIRE.md of package patterns says. A subscriber gets from a PUB of
// any library what its patterns match, of one to three frames: the subject; the subject and the body; or all three.
// Either may be behind a proxy. Such peers tell nothing of what was missed.
//
// Start with [NewPublisher] and [NewSubscriber].
package pubsub
