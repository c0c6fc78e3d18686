package zmqcompat

import (
	"slices"

	"github.com/yodel-mq/yodel/socket"
)

// Topics lists what is subscribed to, sorted: on a SUB by the socket itself, on a PUB and XPUB by the peers, as far
// as their subscriptions have come in.
func (s topicSock) Topics() []string {
	r, err := s.use()
	if err != nil {
		return nil
	}
	topics := r.topics()
	slices.Sort(topics)
	return topics
}

func pubRole(opts []socket.Option) *role {
	s := socket.NewPub(list[socket.PubOption](opts)...)
	return &role{engine: s, out: s, topics: s.Topics}
}

func xpubRole(opts []socket.Option) *role {
	s := socket.NewXPub(list[socket.XPubOption](opts)...)
	return &role{engine: s, out: s, in: s, topics: s.Topics}
}
