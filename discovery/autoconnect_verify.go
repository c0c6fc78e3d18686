package discovery

import (
	"fmt"
	"slices"
	"strings"
)

// A checker is a Connector with the method ConnectNode, which asks who answers.
type checker interface {
	ConnectNode(endpoint string, accept func(node [16]byte) error) error
}

// An answer is who answered at the endpoint of a link.
type answer struct {
	known bool
	by    ID    // of the last that was accepted
	wrong error // of the last, if that was not
}

// connect has the socket connect a link, and asks about all who answer there.
func (a *autoConnector) connect(l *link) error {
	if a.checker == nil && a.keyTaker == nil {
		return a.s.Connect(l.endpoint)
	}
	accept := func(node [16]byte) error {
		verdict := make(chan error, 1)
		a.post(func() { verdict <- a.judge(l, node) })
		select {
		case err := <-verdict:
			return err
		case <-a.done:
			return ErrClosed
		}
	}
	if a.keyTaker != nil {
		return a.keyTaker.ConnectServer(l.endpoint, l.key, accept)
	}
	return a.checker.ConnectNode(l.endpoint, accept)
}

// judge says whether who answers at a link's endpoint is a node that was announced there.
func (a *autoConnector) judge(l *link, id ID) error {
	if a.links[l.endpoint] != l {
		return ErrClosed
	}
	if l.up && a.waiter != nil { // a later connection: the waiter may have missed the end of the one before
		l.stop()
		a.changed(l, false, nil)
		if a.links[l.endpoint] != l {
			return ErrClosed
		}
		a.track(l)
	}
	var wanted []string
	for _, n := range l.users {
		want := n.expected(l.endpoint)
		if want == id || want == (ID{}) {
			l.answer = answer{known: true, by: id}
			return nil
		}
		wanted = append(wanted, want.String())
	}
	again := l.answer.wrong != nil
	wrong := fmt.Errorf("%w at %.100q, not %s", ErrWrongNode, l.endpoint, strings.Join(wanted, " or "))
	l.answer.wrong = wrong
	for _, n := range slices.Clone(l.users) { // this endpoint is out: do not wait for the timer
		if n.phase == dialing && n.stepTimer != nil && !again {
			a.advance(n)
		}
		open := slices.ContainsFunc(n.tries, func(l *link) bool { return l.answer.wrong == nil })
		if n.phase == dialing && n.stepTimer == nil && !open {
			a.failed(n, wrong)
		}
	}
	return wrong
}

// expected is what the node's sockets show at an endpoint, the zero ID if it is not known.
func (n *nodeState) expected(endpoint string) ID {
	if n.unverified != nil && slices.Contains(n.unverifiedEndpoints, endpoint) {
		return n.unverified.PeerID
	}
	return n.record.PeerID
}

// isAt reports whether it is this node that answers on a link, as far as can be told.
func (a *autoConnector) isAt(n *nodeState, l *link) bool {
	want := n.expected(l.endpoint)
	return !l.answer.known || want == ID{} || want == l.answer.by
}

// why says why no endpoint of the node could be connected. That somebody else answered says more than that nobody did.
func (a *autoConnector) why(n *nodeState) error {
	for _, l := range n.tries {
		switch {
		case l.answer.wrong != nil:
			return l.answer.wrong
		case l.up && !a.isAt(n, l):
			return fmt.Errorf("%w at %.100q", ErrWrongNode, l.endpoint)
		}
	}
	return errNoAnswer
}
