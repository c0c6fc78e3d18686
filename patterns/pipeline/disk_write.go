package pipeline

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"github.com/yodel-mq/yodel/socket/spool"
)

// soon has what is to be done written. mu is held.
func (d *disk) soon() {
	d.dirty = true
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// behind calls f once all that was to be written before is on disk. mu is held, and in f too.
func (d *disk) behind(f func()) {
	if d != nil && d.dirty {
		d.held = append(d.held, f)
		return
	}
	f()
}

// settle notes that a job is over; a reason makes a dead letter of it. mu is held.
func (d *disk) settle(seq uint64, reason string) {
	if reason != "" {
		d.todo.buried = append(d.todo.buried, burial{seq, reason})
	} else if i := len(d.todo.settled) - 1; i >= 0 && d.todo.settled[i].To == seq {
		d.todo.settled[i].To++
	} else {
		d.todo.settled = append(d.todo.settled, spool.Range{From: seq, To: seq + 1})
	}
	if d.attempts[seq] {
		d.note(seq, 0)
		delete(d.attempts, seq)
	}
	d.soon()
}

// note has the attempts of a job written. mu is held.
func (d *disk) note(seq uint64, attempts int) {
	if d.todo.attempts == nil {
		d.todo.attempts = make(map[uint64]int)
	}
	d.todo.attempts[seq] = attempts
	d.attempts[seq] = true
	d.soon()
}

// give notes that a job is given out, before it is. mu is held.
func (d *disk) give(seq uint64) {
	if seq > d.given {
		d.given = seq + givenAhead
		d.todo.given = d.given
		d.soon()
	}
}

// write writes what is to be written, until the pusher ends, and once more then.
func (p *pusher) write() {
	d := p.disk
	for last := false; !last; {
		select {
		case <-d.wake:
		case <-d.done:
			last = true
		}
		p.mu.Lock()
		work, held := d.todo, len(d.held)
		d.todo = todo{}
		p.mu.Unlock()
		for d.put(&work) != nil && !last {
			select {
			case <-time.After(time.Second): // the disk; its events tell
			case <-d.done:
				last = true
			}
		}
		p.mu.Lock()
		if t := &d.todo; last || len(t.settled)+len(t.buried)+len(t.attempts) == 0 && t.given == 0 {
			d.dirty, held = false, len(d.held)
		}
		ready := d.held[:held:held]
		d.held = d.held[held:]
		for _, f := range ready {
			f()
		}
		p.mu.Unlock()
	}
}

// put writes it. After an error what is written already does no harm.
func (d *disk) put(t *todo) error {
	tx := d.q.Begin()
	if len(t.settled) > 0 {
		tx.Settle(d.cur, t.settled...)
	}
	if t.given > 0 {
		if err := tx.Set(givenKey, binary.BigEndian.AppendUint64(nil, t.given)); err != nil {
			return err
		}
	}
	for seq, n := range t.attempts {
		var v []byte
		if n > 0 {
			v = binary.BigEndian.AppendUint64(nil, uint64(n))
		}
		if err := tx.Set(attemptsKey(seq), v); err != nil {
			return err
		}
	}
	_, err := tx.Commit(context.Background())
	if errors.Is(err, spool.ErrTooLarge) && len(t.attempts) > 0 { // too many: a new life does not know of these
		t.attempts = nil
		return d.put(t)
	}
	for ; err == nil && len(t.buried) > 0; t.buried = t.buried[1:] {
		err = d.cur.Bury(context.Background(), t.buried[0].seq, t.buried[0].reason)
		if errors.Is(err, spool.ErrSettled) || errors.Is(err, spool.ErrNoMessage) {
			err = nil
		}
	}
	return err
}

// end writes what is left, and gives the spool free.
func (d *disk) end() {
	if d == nil {
		return
	}
	d.opening.Lock()
	defer d.opening.Unlock()
	if d.ended {
		return
	}
	d.ended = true
	if d.opened {
		close(d.done)
		d.running.Wait()
		d.cur.Unclaim()
	}
}
