package gossip

import (
	"io"
	"log"
	"time"

	"github.com/hashicorp/memberlist"
)

// A Profile fits timing to a network.
type Profile int

// The profiles. A change is seen by all within half a second on a LAN, and within two on a WAN; a member that does not
// answer expires after 5 to 7 s, or about a minute.
const (
	LAN Profile = iota // round trips of up to some 100 ms
	WAN                // up to seconds, and loss
)

// memberlist returns the configuration that is the same for all members.
func (p Profile) memberlist() *memberlist.Config {
	c := memberlist.DefaultLANConfig()
	if p == WAN {
		c = memberlist.DefaultWANConfig()
	} else {
		c.GossipInterval = 100 * time.Millisecond // nothing is sent while there is no news: halves the time news take
		c.RetransmitMult = 6
		c.SuspicionMult = 3 // a second less, and whoever is wrongly suspected keeps its connections
		c.TCPTimeout = 5 * time.Second
	}
	c.Logger = log.New(io.Discard, "", 0)
	// Other versions of ours would say so in these.
	c.DelegateProtocolMin, c.DelegateProtocolMax, c.DelegateProtocolVersion = formatVersion, formatVersion, formatVersion
	return c
}

func (p Profile) rejoin() time.Duration {
	if p == WAN {
		return time.Minute
	}
	return 15 * time.Second
}

func (p Profile) syncWithin() time.Duration {
	if p == WAN {
		return 5 * time.Second
	}
	return time.Second
}

func (p Profile) sumEvery() time.Duration {
	if p == WAN {
		return 1500 * time.Millisecond
	}
	return 300 * time.Millisecond
}
