package main

import "time"

// members adds the members of the plan's pattern and says what flows between them.
func (k maker) members() {
	switch k.p.Pattern {
	case "pipeline":
		k.pipeline(rolePush, rolePull)
	case "dealers":
		k.pipeline(roleDealer, roleDealer)
	case "pair":
		k.pair()
	case "routing":
		k.routing()
	case "acks":
		k.acks()
	case "requests":
		k.requests()
	case "pubsub":
		k.pubsub()
	case "proxied-work":
		k.proxiedWork()
	case "proxied-calls":
		k.proxiedCalls()
	case "proxied-topics":
		k.proxiedTopics()
	}
}

// pipeline: some send to some that only receive.
func (k maker) pipeline(from, to string) {
	push, pull := k.some(from, 3), k.some(to, 3)
	for _, id := range push {
		m := k.p.member(id)
		k.sends(m)
		m.Options.Least = k.chance(30)
	}
	k.either(push, pull)
	k.slow(push, pull)
	k.p.Flows = []flow{{Kind: spread, From: push, To: pull}}
}

// pair: both send, so that everything must have arrived before one of them ends.
func (k maker) pair() {
	a, b := k.add(rolePair).ID, k.add(rolePair).ID
	for _, id := range []int{a, b} {
		k.sends(k.p.member(id))
	}
	k.either([]int{a}, []int{b})
	k.p.Settle = true
	k.p.Flows = []flow{{Kind: spread, From: []int{a}, To: []int{b}}, {Kind: spread, From: []int{b}, To: []int{a}}}
}

// routing: a ROUTER sends to each of its DEALERs, and they to it.
func (k maker) routing() {
	router := []int{k.add(roleRouter).ID}
	dealers := k.some(roleDealer, 3)
	for _, id := range append(dealers, router...) {
		k.sends(k.p.member(id))
	}
	k.p.member(router[0]).Peers = dealers
	k.p.member(router[0]).Options.Overflow = k.pick("", "newest")
	k.either(router, dealers)
	k.p.Settle = true
	k.p.Flows = []flow{{Kind: spread, From: dealers, To: router}, {Kind: direct, From: router, To: dealers}}
}

// acks: each message is acknowledged, also to a DEALER that has ended, whose messages must all arrive nevertheless.
func (k maker) acks() {
	router := []int{k.add(roleRouter).ID}
	dealers := k.some(roleDealer, 3)
	for _, id := range dealers {
		k.sends(k.p.member(id))
	}
	k.p.member(router[0]).Acks = true
	k.p.member(router[0]).Options.Overflow = "newest"
	k.join(router, dealers)
	k.slow(dealers, router)
	k.p.Flows = []flow{{Kind: spread, From: dealers, To: router}, {Kind: direct, From: router, To: dealers}}
}

// requests: each request has its reply or an error that names the cause.
func (k maker) requests() {
	req, rep := k.some(roleReq, 3), k.some(roleRep, 2)
	k.either(req, rep)
	k.calls(req, rep)
	k.p.Flows = []flow{{Kind: spread, From: req, To: rep, Again: k.again(req)}, {Kind: direct, From: rep, To: req}}
}

// calls says how requests are sent and served.
func (k maker) calls(req, rep []int) {
	for _, id := range req {
		m := k.p.member(id)
		k.sends(m)
		m.Close = false // it would drop a request of which nobody would know
		m.Rate = []int{50, 300, 0}[k.IntN(3)]
		m.Size[1] = min(m.Size[1], 10_000)
		m.Options.Retry = k.IntN(2) * 2
	}
	for _, id := range rep {
		if k.chance(30) {
			k.p.member(id).Delay = k.between(0, 5*time.Millisecond)
		}
	}
	k.p.Settle = true
}

func (k maker) again(req []int) bool {
	for _, id := range req {
		if k.p.member(id).Options.Retry > 0 {
			return true
		}
	}
	return false
}

// publish makes a member a publisher of some topics.
func (k maker) publish(m *member) {
	k.sends(m)
	m.Topics = []string{topicOf(1), topicOf(2), topicOf(3)}
	m.Options.Overflow = k.pick("", "", "block", "oldest", "disconnect")
}

// subscribe makes members subscribers, which together have asked for every topic.
func (k maker) subscribe(ids []int) {
	for i, id := range ids {
		m := k.p.member(id)
		m.Topics = []string{topicOf(1), topicOf(2), topicOf(3)}
		if i > 0 {
			m.Topics = m.Topics[k.IntN(3):]
		}
	}
}

func (k maker) pubsub() {
	var pubs, subs, xpubs, xsubs []int
	for range 1 + k.IntN(2) {
		m := k.add(k.pick(rolePub, roleXPub))
		k.publish(m)
		pubs = append(pubs, m.ID)
		if m.Role == roleXPub {
			xpubs = append(xpubs, m.ID)
		}
	}
	for range 1 + k.IntN(3) {
		m := k.add(k.pick(roleSub, roleSub, roleXSub))
		subs = append(subs, m.ID)
		if m.Role == roleXSub {
			xsubs = append(xsubs, m.ID)
		}
	}
	k.subscribe(subs)
	k.p.Flows = []flow{{Kind: fan, From: pubs, To: subs}}
	if len(xpubs) > 0 && len(xsubs) > 0 {
		for _, id := range xsubs {
			m := k.p.member(id)
			k.sends(m)
			m.Rate = min(m.Rate, 500)
		}
		k.p.Settle = true
		k.p.Flows = append(k.p.Flows, flow{Kind: fan, From: xsubs, To: pubs})
	}
	k.either(pubs, subs)
	k.slow(pubs, subs)
}

// proxy adds the two sockets of a proxy, which both bind.
func (k maker) proxy(front, back string) (frontend, backend int) {
	frontend, backend = k.add(front).ID, k.add(back).ID
	k.p.member(frontend).Backend = backend
	k.p.member(backend).Proxied = true
	return frontend, backend
}

func (k maker) proxiedWork() {
	push := k.some(rolePush, 2)
	front, back := k.proxy(rolePull, rolePush)
	pull := k.some(rolePull, 2)
	for _, id := range push {
		k.sends(k.p.member(id))
		k.p.member(id).Close = false
	}
	k.join([]int{front}, push)
	k.join([]int{back}, pull)
	k.slow(push, pull)
	k.p.Flows = []flow{{Kind: spread, From: push, To: pull, Via: []int{front, back}}}
}

func (k maker) proxiedCalls() {
	req := k.some(roleReq, 2)
	front, back := k.proxy(roleRouter, roleDealer)
	rep := k.some(roleRep, 2)
	k.join([]int{front}, req)
	k.join([]int{back}, rep)
	k.calls(req, rep)
	k.p.Flows = []flow{
		{Kind: spread, From: req, To: rep, Via: []int{front, back}, Again: k.again(req)},
		{Kind: direct, From: rep, To: req, Via: []int{back, front}},
	}
}

func (k maker) proxiedTopics() {
	pub := k.add(rolePub)
	k.publish(pub)
	pubs := []int{pub.ID}
	front, back := k.proxy(roleXSub, roleXPub)
	subs := k.some(roleSub, 3)
	k.subscribe(subs)
	k.join([]int{front}, pubs)
	k.join([]int{back}, subs)
	k.slow(pubs, subs)
	k.p.Flows = []flow{{Kind: fan, From: pubs, To: subs, Via: []int{front, back}}}
}
