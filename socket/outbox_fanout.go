package socket

import "context"

// fanOut sends a message to every link in to, encoding it once. A full link never holds up the others unless its policy
// is Block or Reject. kept says that it is no loss if there is none. to is called under the lock, anew after each wait,
// and accepted, unless nil, once it is sure that nobody has to be waited for, before the first link has the message.
func (o *outbox) fanOut(ctx context.Context, wait bool, m Msg, kept bool, to func() []*link, accepted func()) error {
	out := outgoing{frames: m.Frames, size: m.Size()}
	o.mu.Lock()
	for !o.shut {
		links := to()
		do, held := heldBack(links)
		if held == nil {
			if accepted != nil {
				accepted()
			}
			var caller *link
			var slow []*link
			if len(links) > 0 || !kept {
				caller, slow = o.putAll(links, &out)
			}
			o.mu.Unlock()
			if caller != nil {
				caller.writeNow()
			}
			for _, l := range slow {
				l.fail(ErrSlow)
			}
			return nil
		}
		if do != waitForRoom || !wait {
			o.mu.Unlock()
			return held
		}
		if err := o.awaitRoom(ctx, held); err != nil {
			o.mu.Unlock()
			return err
		}
	}
	o.mu.Unlock()
	return ErrClosed
}

// putAll puts a message on each of the links. It returns the link that the caller is to write to, if any, and those
// whose connections are to be ended, both after unlocking.
func (o *outbox) putAll(links []*link, m *outgoing) (caller *link, slow []*link) {
	if len(links) == 0 {
		o.overflow(situation{way: published, peer: nobody}, nil, m)
		o.unwanted.see(m.frames[0])
		return nil, nil
	}
	if m.shared = len(links) > 1; !m.shared {
		only := links[0]
		if !only.out.overflow.replaces() && only.carrier.appendFast(Msg{Frames: m.frames}, m.size) {
			return nil, nil
		}
	} else {
		var small bool
		if o.scratch, small = encodeSmall(o.scratch[:0], m.frames); small {
			m.wire = o.scratch
		}
	}
	for _, l := range links {
		if w, isWire := l.carrier.(*wire); isWire && m.wire != nil && w.appendEncoded(m) {
			continue
		}
		ok, byCaller := o.put(l, m, !m.shared)
		if byCaller {
			caller = l
		}
		if ok {
			continue
		}
		v := o.overflow(situation{way: published, policy: l.out.overflow, late: true}, l, m)
		if v.do == dropNewAndPeer {
			slow = append(slow, l)
		}
	}
	return caller, slow
}

// heldBack looks for a link for which a message must wait or must not be sent at all, and says what is done about it
// and why; nil if there is none. Only links with such a policy are asked for room, for over inproc the answer takes the
// peer's lock.
func heldBack(links []*link) (do action, held error) {
	for _, l := range links {
		policy := l.out.overflow
		if !policy.holdsBack() || l.open() || l.out.dead {
			continue
		}
		v := situation{way: published, policy: policy}.verdict()
		if do, held = v.do, v.err; do == failSend {
			break
		}
	}
	return do, held
}
