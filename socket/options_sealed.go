package socket

// A setter is what all options have: set takes effect on a configuration. It seals them.
type setter interface{ set(c *config) }

type setting func(c *config)

func (s setting) set(c *config) { s(c) }

// configure returns what options make of a configuration. Those that are nil do nothing.
func configure[C any, O interface{ set(c *C) }](c C, opts []O) C {
	for _, o := range opts {
		if any(o) != nil {
			o.set(&c)
		}
	}
	return c
}

// Each of these, embedded in the type of an option, lets it go to one role's constructor.
type (
	forPush   struct{}
	forPull   struct{}
	forPub    struct{}
	forSub    struct{}
	forReq    struct{}
	forRep    struct{}
	forDealer struct{}
	forRouter struct{}
	forPair   struct{}
	forXPub   struct{}
	forXSub   struct{}
)

func (forPush) push()     {}
func (forPull) pull()     {}
func (forPub) pub()       {}
func (forSub) sub()       {}
func (forReq) req()       {}
func (forRep) rep()       {}
func (forDealer) dealer() {}
func (forRouter) router() {}
func (forPair) pair()     {}
func (forXPub) xpub()     {}
func (forXSub) xsub()     {}

// Options by the roles they go to.
type (
	optionForAll struct {
		setting
		forPush
		forPull
		forPub
		forSub
		forReq
		forRep
		forDealer
		forRouter
		forPair
		forXPub
		forXSub
	}
	optionForSenders struct {
		setting
		forPush
		forPub
		forRep
		forDealer
		forRouter
		forPair
		forXPub
		forXSub
	}
	optionForQueues struct {
		setting
		forPush
		forDealer
		forReq
		forPair
	}
	optionForBalancers struct {
		setting
		forPush
		forDealer
	}
	optionForReceivers struct {
		setting
		forPull
		forSub
		forDealer
		forPair
	}
	optionForReceived struct {
		setting
		forPull
		forSub
		forDealer
		forRouter
		forPair
		forXSub
	}
	optionForProbes struct {
		setting
		forReq
		forDealer
		forRouter
	}
	optionForNotices struct {
		setting
		forDealer
		forRouter
		forXSub
	}
	optionForSubscribers struct {
		setting
		forSub
		forXSub
	}
	optionForPublishers struct {
		setting
		forPub
		forXPub
	}
	optionForReq struct {
		setting
		forReq
	}
	optionForRep struct {
		setting
		forRep
	}
	optionForRouter struct {
		setting
		forRouter
	}
	optionForXPub struct {
		setting
		forXPub
	}
)
