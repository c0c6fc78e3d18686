package socket

import "slices"

// An unwanted is a sample of what was published and nobody had subscribed to, for Stats: a publisher whose topics are
// spelled otherwise than those of its subscribers looks like one without subscribers. It is guarded by core.out.mu.
type unwanted struct {
	n      uint64 // messages so far
	topics [unwantedTopics]string
	have   int // of topics
	next   int // which of them makes room
}

const (
	unwantedTopics = 8
	unwantedBytes  = 64   // of each
	unwantedEvery  = 1024 // of messages one is looked at, after as many as there is room for
)

// see takes a message that was dropped, of which most cost a count.
func (u *unwanted) see(topic []byte) {
	u.n++
	if u.n <= unwantedTopics || u.n%unwantedEvery == 0 {
		u.keep(topic)
	}
}

func (u *unwanted) keep(topic []byte) {
	topic = topic[:min(len(topic), unwantedBytes)]
	if slices.Contains(u.topics[:u.have], string(topic)) {
		return
	}
	u.topics[u.next] = string(topic)
	u.next = (u.next + 1) % unwantedTopics
	u.have = min(u.have+1, unwantedTopics)
}

// list is what there is, sorted.
func (u *unwanted) list() []string { return slices.Sorted(slices.Values(u.topics[:u.have])) }
