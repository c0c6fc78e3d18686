package mdns

import (
	"time"

	"github.com/yodel-mq/yodel/discovery"
)

const (
	// syncAfter is how long after the first question all who are there should have answered.
	syncAfter = time.Second
	fewPeers  = 50 // up to which more questions are asked in the first seconds

	restPause   = time.Minute // between questions at rest, or a second for each peer if that is more
	scanPause   = 2 * time.Second
	restPerPeer = time.Second
	scanPerPeer = 50 * time.Millisecond

	confirmTimeout    = 2 * time.Second
	confirmsPerSecond = 50
)

// rounds is when a new watch, or one whose network has changed, asks. It asks several times because packets get lost
// and nodes that were there before announce rarely. Optional rounds are left out where many nodes would answer.
var rounds = [...]struct {
	at   time.Duration
	must bool
}{
	{0, true},
	{250 * time.Millisecond, false},
	{time.Second, true},
	{2 * time.Second, false},
	{3 * time.Second, true},
	{4 * time.Second, false},
}

// ask asks who is there, for as long as somebody watches.
func (e *engine) ask() {
	packet, err := question()
	if err != nil {
		return
	}
	e.after(syncAfter, e.table.Sync)
	timer := time.NewTimer(0)
	defer timer.Stop()
	step := 0
	for {
		select {
		case <-e.done:
			return
		case <-e.round:
			step = 0
		case <-timer.C:
		}
		skip := step > 0 && step < len(rounds) && !rounds[step].must && e.peers() > fewPeers
		if !skip && e.watched() {
			e.question(packet)
		}
		step++
		timer.Reset(e.questionPause(step))
	}
}

func (e *engine) questionPause(step int) time.Duration {
	if step < len(rounds) {
		return rounds[step].at - rounds[step-1].at
	}
	peers := time.Duration(e.peers())
	e.mu.Lock()
	scan := e.trouble != nil
	e.mu.Unlock()
	if scan {
		return jitter(max(scanPause, peers*scanPerPeer), 0.1)
	}
	return jitter(max(restPause, peers*restPerPeer), 0.25)
}

// newRound makes ask begin its rounds again. The lock is held.
func (e *engine) newRound() {
	if !e.asking {
		return
	}
	select {
	case e.round <- struct{}{}:
	default:
	}
}

// confirm asks a node whether it is still there, and expires it if it does not answer. If a packet from the network is
// the reason, no question is sent about nodes that were never heard of.
func (e *engine) confirm(id discovery.ID, unsolicited bool) {
	labels, known, lately := e.names.confirm(id, time.Now())
	if lately || unsolicited && !known || !e.confirms.take() {
		return
	}
	e.table.Suspect(id, confirmTimeout)
	e.askFor(labels)
	for _, d := range [...]time.Duration{300 * time.Millisecond, time.Second} {
		e.after(d, func() { e.askFor(labels) })
	}
}

func (e *engine) askFor(labels []string) {
	for _, label := range labels {
		if packet, err := questionFor(label); err == nil {
			e.question(packet)
		}
	}
}

// askExpiring asks for nodes whose records are about to run out: other mDNS daemons announce once and then wait to be
// asked (RFC 6762 section 5.2). Yodel nodes announce in time; they are asked as well, in case packets were lost, but
// not where there are many.
func (e *engine) askExpiring() {
	if !e.watched() {
		return
	}
	e.askFor(e.names.due(time.Now(), e.peers() > manyPeers))
}
