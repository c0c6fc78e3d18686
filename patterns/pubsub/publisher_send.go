package pubsub

import (
	"context"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/socket"
)

// sendTo gives a message to the remotes. The turn is held.
func (p *publisher) sendTo(ctx context.Context, m socket.Msg, to []*remote) error {
	if len(to) == 0 {
		return nil
	}
	p.to = p.to[:0]
	for _, r := range to {
		p.to = append(p.to, r.peer)
	}
	return p.sock.SendTo(ctx, m, p.to)
}

// tell sends a message that is between us and one subscriber. The turn is held. It does not wait for one whose queue is
// full: what is told so is told again.
func (p *publisher) tell(r *remote, h *patterns.Head, body []byte) {
	p.to = append(p.to[:0], r.peer)
	b := h.AppendTo([]byte(private))
	_ = p.sock.TrySendTo(socket.NewMsg(b[:1:1], b[1:], body), p.to) // the subscriber sees what is missing
}
