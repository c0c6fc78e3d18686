package mdns

import (
	"sync/atomic"

	"github.com/yodel-mq/yodel/discovery"
)

// Stats counts packets of multicast DNS and what became of them. Most of what is heard on port 5353 is about other
// services, so foreign packets are no sign of anything.
type Stats struct {
	Interfaces int    // network interfaces in use
	Sent       uint64 // packets sent to the group: announcements, goodbyes, questions
	Unsent     uint64 // packets that the system refused to send
	Received   uint64 // packets heard
	Records    uint64 // records handed to the table; Table says what it did with them
	Goodbyes   uint64
	Questions  uint64 // packets with questions about nodes like ours, our own included
	Dropped    Drops
	Table      discovery.TableStats
}

// Drops counts packets that were not used, by reason.
type Drops struct {
	Rate    uint64 // more than 200 packets a second from one address
	Size    uint64 // too short for a message, or over 9000 bytes
	Source  uint64 // from an address that is not on the link; or a response that is not from port 5353
	Header  uint64 // not a response, or not a plain one
	Foreign uint64 // about other services
	Content uint64 // does not parse, or has too much in it
	Record  uint64 // ours, but not a valid record
}

type counters struct {
	sent, unsent, received, records, goodbyes, questions atomic.Uint64
	drops                                                [drops]atomic.Uint64
}

// A drop is why a packet was not used.
type drop int

const (
	kept drop = iota
	dropRate
	dropSize
	dropSource
	dropHeader
	dropForeign
	dropContent
	dropRecord
	drops // how many there are
)

func (c *counters) stats() Stats {
	return Stats{
		Sent: c.sent.Load(), Unsent: c.unsent.Load(), Received: c.received.Load(),
		Records: c.records.Load(), Goodbyes: c.goodbyes.Load(), Questions: c.questions.Load(),
		Dropped: Drops{
			Rate: c.drops[dropRate].Load(), Size: c.drops[dropSize].Load(), Source: c.drops[dropSource].Load(),
			Header: c.drops[dropHeader].Load(), Foreign: c.drops[dropForeign].Load(),
			Content: c.drops[dropContent].Load(), Record: c.drops[dropRecord].Load(),
		},
	}
}
