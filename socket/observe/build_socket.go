package observe

import (
	"cmp"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/yodel-mq/yodel/socket"
)

// socketState asks a socket.
func (r *Registry) socketState(e *socketEntry, now time.Time) SocketState {
	st := e.source.Stats()
	s := SocketState{
		Name:        e.name,
		Type:        e.source.Type(),
		Ledger:      ledgerOf(st.Ledger),
		Redelivered: countOf(st.Redelivered),
		AtMostOnce:  countOf(st.AtMostOnce),
		Unsettled:   countOf(st.Unsettled),
		UnderWay:    st.UnderWay,
		Events:      make(map[string]uint64, len(st.Events)),
	}
	if label := clean(st.Label, maxName); label != e.name {
		s.Label = label
	}
	if e.series != e.name {
		s.Series = e.series
	}
	if err := st.Check(); err != nil {
		s.Unbalanced = "an account does not add up"
		if err := st.Ledger.Check(); err != nil {
			s.Unbalanced = clean(err.Error(), maxText) // nothing of it is a peer's
		}
	}
	for kind, n := range st.Events {
		s.Events[kind.String()] = n
	}
	if r.topics {
		for _, topic := range st.Unwanted {
			s.Unwanted = append(s.Unwanted, strconv.Quote(topic))
		}
	}
	r.addEndpoints(&s, st.Endpoints, now)
	r.addPeers(&s, st.Peers, now)
	if own, ok := e.source.(interface{ Topics() []string }); ok && s.Type == "SUB" {
		s.Subscriptions = len(own.Topics())
	}
	return s
}

// addEndpoints tells of endpoints, those without a peer first if there are too many.
func (r *Registry) addEndpoints(s *SocketState, all []socket.EndpointStats, now time.Time) {
	counts := &s.EndpointCounts
	for i := range all {
		ep := &all[i]
		switch {
		case ep.Bound:
			counts.Bound++
		case ep.Up > 0:
			counts.Up++
		default:
			counts.Trying++
			if why := causeOf(ep.LastErr); why != "" {
				if counts.Causes == nil {
					counts.Causes = make(map[string]int)
				}
				counts.Causes[why]++
			}
		}
	}
	if over := len(all) - maxListed; over > 0 {
		all = slices.Clone(all)
		slices.SortStableFunc(all, func(a, b socket.EndpointStats) int { return cmp.Compare(min(a.Up, 1), min(b.Up, 1)) })
		all, s.EndpointsMore = all[:maxListed], over
	}
	s.Endpoints = make([]EndpointState, 0, len(all))
	for i := range all {
		s.Endpoints = append(s.Endpoints, r.endpointState(&all[i], now))
	}
}

func (r *Registry) endpointState(ep *socket.EndpointStats, now time.Time) EndpointState {
	e := EndpointState{
		Endpoint: clean(ep.Endpoint, maxText),
		Bound:    ep.Bound,
		Up:       ep.Up,
		Attempts: ep.Attempts,
		Failures: ep.Failures,
		Failing:  ep.FailedInARow,
		Cause:    causeOf(ep.LastErr),
		Error:    explain(ep.LastErr, r.topics),
	}
	if !ep.LastTime.IsZero() {
		e.Last = ep.LastTime.UTC().Round(0)
	}
	if wait := ep.NextTry.Sub(now); wait > 0 && !ep.NextTry.IsZero() {
		e.RetryMS = max(wait.Milliseconds(), 1)
	}
	return e
}

// addPeers counts all peers and tells of the first.
func (r *Registry) addPeers(s *SocketState, all []socket.PeerStats, now time.Time) {
	counts := make(map[PeerCount]int)
	var rtts []time.Duration
	for i := range all {
		p := &all[i]
		counts[PeerCount{Type: clean(p.Peer.Type, maxName), Yodel: p.Peer.Node != socket.NodeID{}}]++
		s.SendFill, s.RecvFill = max(s.SendFill, p.SendFill), max(s.RecvFill, p.RecvFill)
		s.Subscriptions += p.Subscriptions
		if p.Full {
			s.FullPeers++
		}
		if p.RTT > 0 {
			rtts = append(rtts, p.RTT)
		}
	}
	if len(rtts) > 0 {
		slices.Sort(rtts)
		s.RTTMedian, s.RTTMax = micros(rtts[(len(rtts)-1)/2]), micros(rtts[len(rtts)-1])
	}
	s.PeerCounts = make([]PeerCount, 0, len(counts))
	for _, c := range slices.SortedFunc(maps.Keys(counts), comparePeerCounts) {
		s.PeerCounts = append(s.PeerCounts, PeerCount{c.Type, c.Yodel, counts[c]})
	}
	if over := len(all) - maxListed; over > 0 {
		all = slices.Clone(all)
		slices.SortStableFunc(all, func(a, b socket.PeerStats) int {
			return cmp.Or(compareBool(b.Full, a.Full), cmp.Compare(a.Peer.Address, b.Peer.Address))
		})
		all, s.PeersMore = all[:maxListed], over
	}
	s.Peers = make([]PeerState, 0, len(all))
	for i := range all {
		s.Peers = append(s.Peers, r.peerState(&all[i], now))
	}
}

func comparePeerCounts(a, b PeerCount) int {
	return cmp.Or(cmp.Compare(a.Type, b.Type), compareBool(a.Yodel, b.Yodel))
}

// compareBool puts false before true.
func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

func (r *Registry) peerState(p *socket.PeerStats, now time.Time) PeerState {
	s := PeerState{
		Type:          clean(p.Peer.Type, maxName),
		Address:       clean(p.Peer.Address, maxText),
		RTT:           micros(p.RTT),
		Full:          p.Full,
		SendFill:      p.SendFill,
		RecvFill:      p.RecvFill,
		Subscriptions: p.Subscriptions,
		UnderWay:      p.UnderWay,
		Ledger:        ledgerOf(p.Ledger),
	}
	if p.Peer.Node != (socket.NodeID{}) {
		s.Node = hex.EncodeToString(p.Peer.Node[:])
	}
	if !p.Since.IsZero() {
		s.Since = p.Since.UTC().Round(0)
	}
	if !p.Heard.IsZero() {
		s.HeardMS = max(now.Sub(p.Heard).Milliseconds(), 1)
	}
	if r.topics && len(p.Peer.Identity) > 0 {
		s.Identity = strconv.Quote(string(p.Peer.Identity))
	}
	if r.topics && p.Peer.User != "" {
		s.User = strconv.Quote(clean(p.Peer.User, maxText))
	}
	return s
}

// micros is a time in microseconds, and not 0 unless there is none.
func micros(d time.Duration) int64 {
	if d <= 0 {
		return 0
	}
	return max(d.Microseconds(), 1)
}
