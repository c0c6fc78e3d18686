package reliable

import "time"

// Settle records that the application has done with the first n messages that it has not settled yet, in the order in
// which they were taken, of so many bytes; where something has to be on disk for that, it is. It reports whether an ACK
// is due. It is for a socket whose messages are settled by being received.
func (r *Receiver) Settle(now time.Duration, n, bytes uint64) (due bool) {
	for n > 0 {
		from := r.done.Floor() // the first that is not
		if from >= r.arrived {
			return r.due(now)
		}
		k := min(n, r.arrived-from)
		if above := r.done.Above(); len(above) > 0 {
			k = min(k, above[0].From-from)
		}
		due = r.settle(now, from, from+k, bytes)
		n, bytes = n-k, 0
	}
	return due
}

// SettleNumber records that the application has done with one message. known is false if it is not held: it was settled
// or given back before.
func (r *Receiver) SettleNumber(now time.Duration, number, bytes uint64) (due, known bool) {
	pos, ok := r.find(number)
	if !ok {
		return false, false
	}
	return r.settle(now, pos, pos+1, bytes), true
}

// GiveBack records that a message is not settled here and may come again, or go to another receiver. It returns the
// position that NAK has to name. NAK must be sent before any later ACK.
func (r *Receiver) GiveBack(number uint64) (pos uint64, known bool) {
	pos, ok := r.find(number)
	if !ok {
		return 0, false
	}
	r.done.Add(pos)
	r.taken.RemoveRange(number, number+1)
	return pos, true
}

// Acknowledge returns the ACK that says all that is settled, if anything was since the last one and there is a link to
// send it on. Its ranges are valid until the next call to the Receiver.
func (r *Receiver) Acknowledge() (a Ack, ok bool) {
	if r.owed == 0 || !r.owned {
		return Ack{}, false
	}
	a.Upto = r.done.Floor()
	for _, f := range r.fresh {
		if f.To > a.Upto {
			a.Ranges = append(a.Ranges, f)
		}
	}
	r.owed, r.owedBytes, r.fresh = 0, 0, r.fresh[:0]
	return a, true
}

// AckAt returns when an ACK is due at the latest; ok is false if none is owed.
func (r *Receiver) AckAt() (at time.Duration, ok bool) {
	return r.owedSince + r.cfg.AckDelay, r.owed > 0 && r.owned
}

// settle marks positions as done that were not.
func (r *Receiver) settle(now time.Duration, from, to, bytes uint64) (due bool) {
	if r.owed == 0 {
		r.owedSince = now
	}
	r.owed += to - from
	r.owedBytes += bytes
	r.done.AddRange(from, to)
	if r.done.Floor() < to { // out of order
		if i := len(r.fresh) - 1; i >= 0 && r.fresh[i].To == from {
			r.fresh[i].To = to
		} else {
			r.fresh = append(r.fresh, Range{From: from, To: to})
		}
	}
	r.places.prune(r.done.Floor())
	return r.due(now)
}

// due reports whether an ACK is to be sent now.
func (r *Receiver) due(now time.Duration) bool {
	return r.owed > 0 && r.owned && (r.ackEvery.reached(r.owed, r.owedBytes) || len(r.fresh) >= MaxAckRanges ||
		now-r.owedSince >= r.cfg.AckDelay)
}

// find returns the position of the message that is held with a number.
func (r *Receiver) find(number uint64) (pos uint64, ok bool) {
	return r.places.find(number, r.arrived, func(pos uint64) bool { return pos < r.arrived && !r.done.Contains(pos) })
}
