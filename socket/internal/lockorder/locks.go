package lockorder

// The ranks, outermost first. A lock may be taken while one further up is held where the Table says so.
type (
	Core          struct{}
	Known         struct{}
	Flood         struct{}
	Yielder       struct{}
	Subscriptions struct{}
	Subscribing   struct{}
	Leaving       struct{}
	Outbox        struct{}
	Recv          struct{}
	Inbox         struct{}
	Wanted        struct{}
	Req           struct{}
	Rep           struct{}
	CommandLog    struct{}
	Heartbeat     struct{}
	Events        struct{}
)

func (Core) lock() *Lock          { return core }
func (Known) lock() *Lock         { return known }
func (Flood) lock() *Lock         { return flood }
func (Yielder) lock() *Lock       { return yielder }
func (Subscriptions) lock() *Lock { return subscriptions }
func (Subscribing) lock() *Lock   { return subscribing }
func (Leaving) lock() *Lock       { return leaving }
func (Outbox) lock() *Lock        { return outbox }
func (Recv) lock() *Lock          { return recv }
func (Inbox) lock() *Lock         { return inbox }
func (Wanted) lock() *Lock        { return wanted }
func (Req) lock() *Lock           { return req }
func (Rep) lock() *Lock           { return rep }
func (CommandLog) lock() *Lock    { return commandLog }
func (Heartbeat) lock() *Lock     { return heartbeat }
func (Events) lock() *Lock        { return events }

var (
	core = &Lock{
		"Core", "core.mu", "core.go",
		"endpoints, the set of links, handshakes, how far the socket is closed",
	}
	known = &Lock{
		"Known", "known.mu", "endpoint_known.go",
		"what was learned about peers for their next connections",
	}
	flood = &Lock{
		"Flood", "flood.mu", "link_throttle.go",
		"the time that peers share that send too much of no use",
	}
	yielder = &Lock{
		"Yielder", "Yielder.mu", "internal/fairness",
		"the pipe that makes the runtime poll",
	}
	subscriptions = &Lock{
		"Subscriptions", "subscriptions.changes", "sub_subscriptions.go",
		"what a Sub wants; held while its peers are told, for the order",
	}
	subscribing = &Lock{
		"Subscribing", "inproc.subscribing", "link_inproc.go",
		"whether a peer in this process may still subscribe",
	}
	leaving = &Lock{
		"Leaving", "subscribers.leaving", "pub_subscribers.go",
		"that one peer's subscriptions at a time are removed or tidied",
	}
	outbox = &Lock{
		"Outbox", "outbox.mu", "outbox.go",
		"everything on the way out: linkOut of all links, subscribers, last values, a Router's and a Pair's peers",
	}
	recv = &Lock{
		"Recv", "inbox.recv", "inbox.go",
		"who takes messages out, and what is prefetched",
	}
	inbox = &Lock{
		"Inbox", "inbox.mu", "inbox.go",
		"everything else on the way in: linkIn of all links, notices, who reads a link",
	}
	wanted = &Lock{
		"Wanted", "subscriptions.mu", "sub_subscriptions.go",
		"the topics wanted, for look-ups by whoever receives",
	}
	req = &Lock{
		"Req", "Req.mu", "req.go",
		"the request that is out",
	}
	rep = &Lock{
		"Rep", "Rep.mu", "rep.go",
		"the request to be answered",
	}
	commandLog = &Lock{
		"CommandLog", "commandLog.mu", "sub_commandlog.go",
		"the log of subscriptions that links send their peers",
	}
	heartbeat = &Lock{
		"Heartbeat", "heartbeatTimer.mu", "link_heartbeat_timer.go",
		"when each link is to be checked",
	}
	events = &Lock{
		"Events", "eventLog.mu", "eventlog.go",
		"the events remembered",
	}
)

// Locks are all locks of the engine, in an order in which they may be taken.
var Locks = []*Lock{
	core, known, flood, yielder, subscriptions, subscribing, leaving, outbox, recv, inbox, wanted, req, rep, commandLog,
	heartbeat, events,
}
