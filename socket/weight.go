package socket

// What a message weighs towards a high-water mark in bytes: its payload and, for each frame, about what that costs
// beside. A message of a thousand empty frames would otherwise weigh nothing.
const (
	queuedFrame = 32 // in a queue of messages: its place in the list of frames, and in one of one frame the message's own
	wireFrame   = 2  // encoded: its header
)

// weigh adds to the payload in c what its frames cost, each of so many bytes; further is how many there are beyond
// the first of each message.
func weigh(c Count, further, each uint64) Count {
	c.Bytes += (c.Messages + further) * each
	return c
}

// count is the message as a ledger sees it.
func (m *Msg) count() Count { return Count{1, uint64(m.Size())} }

// further is the number of frames beyond the first.
func (m *Msg) further() uint64 {
	if len(m.Frames) < 2 {
		return 0
	}
	return uint64(len(m.Frames)) - 1
}

// load is what is queued for the link, as a mark sees it.
func (o *linkOut) load() Count { return weigh(o.counts.queued, o.open.further+o.further, wireFrame) }

// load is what waits in the backlog, as a mark sees it.
func (o *outbox) load() Count { return weigh(o.unassigned.queued, o.backlog.further, queuedFrame) }

// load is what the link has brought and nobody has received, as a mark sees it.
func (in *linkIn) load() Count { return weigh(in.messages(), in.counts.further, queuedFrame) }

// load is what the batch holds, as a mark sees it.
func (b *senderBatch) load() Count { return weigh(b.count, b.further, queuedFrame) }

// weight is what a message of that size weighs in a queue.
func (m *Msg) weight(size int) uint64 { return uint64(size) + queuedFrame*uint64(len(m.Frames)) }
