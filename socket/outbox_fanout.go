package socket

import "context"

// fanOut sends a message to every link in to, encoding it once. A full link never holds up the others unless its policy
// is Block or Reject. The attempt runs under the lock; to is called anew in each.
func (o *outbox) fanOut(ctx context.Context, wait bool, m Msg, to func() []*link) error {
	p := parcel{frames: m.Frames, size: m.Size()}
	var slow []*link
	err := o.send(ctx, wait, func() (*link, error) {
		links := to()
		if len(links) == 0 {
			o.counts.accepted.add(p.size)
			o.counts.dropped.add(NoSubscriber, Count{1, uint64(p.size)})
			return nil, nil
		}
		if err := held(links); err != nil {
			return nil, err
		}
		p.shared = len(links) > 1
		if p.shared {
			var small bool
			if o.scratch, small = encodeSmall(o.scratch[:0], m.Frames); small {
				p.wire = o.scratch
			}
		}
		var caller *link
		for _, l := range links {
			switch {
			case l.offer(&p):
				o.accept(p.size)
			case l.out.overflow == DropOldest && l.makeRoom() && l.offer(&p):
				o.accept(p.size)
			case l.out.dead: // over inproc that shows only now
				l.missed(PeerGone, p.size)
				continue
			default:
				l.refused(p.size)
				if l.out.overflow == Disconnect {
					slow = append(slow, l)
				}
				continue
			}
			if l.start(!p.shared) {
				caller = l
			}
		}
		return caller, nil
	})
	for _, l := range slow {
		l.fail(ErrSlow)
	}
	return err
}

// held looks for a full link that must not miss a message: ErrWouldBlock says to wait for it, errRejected not to.
func held(links []*link) (err error) {
	for _, l := range links {
		switch p := l.out.overflow; {
		case p != Block && p != Reject || l.open() || l.out.dead:
		case p == Reject:
			return errRejected
		default:
			err = ErrWouldBlock
		}
	}
	return err
}

// open reports whether the link would take a message.
func (l *link) open() bool {
	if l.direct != nil {
		return l.direct.open()
	}
	return !l.out.full && !l.out.dead
}

// makeRoom drops the oldest message that has not begun to leave.
func (l *link) makeRoom() bool {
	if l.direct != nil {
		return l.direct.makeRoom()
	}
	o := &l.out
	if o.dead || o.open.count.Messages == 0 {
		return false
	}
	l.dropped(QueueFull, o.open.dropOldest())
	o.full = false
	return true
}
