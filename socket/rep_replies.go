package socket

import (
	"container/list"
	"context"
	"slices"
)

// replies are those that a Rep keeps for requesters with a spool, who ask again when a connection is lost or when they
// were restarted (spool_requests.go): a request that was answered is answered again, and not handed out. A reply is
// kept until the requester has settled the request, which each of its requests says, or until there are too many: the
// oldest goes first, and its request would be handed out again. The newest is kept however large it is.
//
// Where peers prove who they are, what is kept for a user is for that user alone: a peer that says the stream of
// another one's requests gets none of the replies, and settles nothing.
//
// It is guarded by Rep.mu.
type replies struct {
	streams map[requester]*answeredStream
	order   list.List // of *keptReply, the oldest first
	bytes   int
	settle  func(seq uint64) // takes one out of the spool; nil without one
}

// An answeredStream is what is kept for one requester.
type answeredStream struct {
	low     uint64 // all below is settled
	replies map[uint64]*list.Element
}

// A keptReply is the body of a reply.
type keptReply struct {
	to     requestID
	frames [][]byte
	size   int
	seq    uint64 // in the spool, if there is one
}

// How many replies are kept.
const (
	maxKept       = 16 << 10
	maxKeptBytes  = 16 << 20
	keptReplySize = 256 // what one takes beside its frames
)

// repeated reports whether a request was answered before or is settled. The reply is nil if it is not kept.
func (r *replies) repeated(id requestID, low uint64) (reply *keptReply, yes bool) {
	s := r.streams[id.requester]
	if s == nil {
		return nil, false
	}
	if low > s.low {
		s.low = low
		for number, at := range s.replies {
			if number < low {
				r.remove(at)
			}
		}
		s = r.streams[id.requester]
		if s == nil {
			return nil, false
		}
	}
	if at := s.replies[id.number]; at != nil {
		return at.Value.(*keptReply), true
	}
	return nil, id.number < s.low
}

// keep keeps a reply. The frames are copied, for a requester in this process may change those it gets.
func (r *replies) keep(id requestID, low uint64, body [][]byte, seq uint64) {
	s := r.streams[id.requester]
	if s == nil {
		s = &answeredStream{low: low, replies: make(map[uint64]*list.Element)}
		if r.streams == nil {
			r.streams = make(map[requester]*answeredStream)
		}
		r.streams[id.requester] = s
	}
	if at := s.replies[id.number]; at != nil { // the same one, sent for the second time
		r.drop(s, at)
	}
	k := &keptReply{to: id, size: keptReplySize, seq: seq}
	for _, f := range body {
		k.frames = append(k.frames, slices.Clone(f))
		k.size += len(f)
	}
	s.replies[id.number] = r.order.PushBack(k)
	r.bytes += k.size
	for r.order.Len() > maxKept || r.bytes > maxKeptBytes && r.order.Len() > 1 {
		r.remove(r.order.Front())
	}
}

// remove forgets a reply, and the requester with the last of its own.
func (r *replies) remove(at *list.Element) {
	id := at.Value.(*keptReply).to
	s := r.streams[id.requester]
	r.drop(s, at)
	if len(s.replies) == 0 {
		delete(r.streams, id.requester)
	}
}

func (r *replies) drop(s *answeredStream, at *list.Element) {
	k := at.Value.(*keptReply)
	r.order.Remove(at)
	r.bytes -= k.size
	delete(s.replies, k.to.number)
	if r.settle != nil {
		r.settle(k.seq)
	}
}

// keepReply keeps a reply that is about to be sent, if its request may come again.
func (s *Rep) keepReply(ctx context.Context, wait bool, user string, envelope, body [][]byte) error {
	id, low, ok := requestIDOf(envelope)
	if !ok {
		return nil
	}
	id.user = user
	var seq uint64
	if d := s.diskReplies; d != nil {
		var err error
		if seq, err = d.store(ctx, wait, id, low, body); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replies.keep(id, low, body, seq)
	return nil
}

// answeredBefore reports whether a user's request was answered, or settled, before. A reply that is kept is sent again,
// over l unless that is nil.
func (s *Rep) answeredBefore(l *link, user string, envelope [][]byte) bool {
	id, low, ok := requestIDOf(envelope)
	if !ok {
		return false
	}
	id.user = user
	reply, yes := s.replies.repeated(id, low)
	if reply != nil {
		s.answerAgain(l, envelope, reply)
	}
	return yes
}

// answerAgain sends a kept reply to whoever has asked again. Without room for it, it is dropped as any other reply
// is, and counted.
func (s *Rep) answerAgain(l *link, envelope [][]byte, k *keptReply) {
	frames := slices.Clone(envelope)
	for _, f := range k.frames {
		frames = append(frames, slices.Clone(f))
	}
	to := func() *link { return l }
	s.wg.Go(func() { _ = s.out.route(context.Background(), false, to, Msg{Frames: frames}, DropNewest) })
}
