package simnet

import (
	"math/rand/v2"
	"time"
)

// packetSize is how finely a write is cut up when bandwidth is limited: what one Ethernet frame carries for TCP.
const packetSize = 1460

// never is a cut position that is not reached.
const never = -1

type parcelKind byte

const (
	parcelData parcelKind = iota
	parcelFin
	parcelReset
)

// parcel is something on the wire: the bytes up to position end, or a mark behind them.
type parcel struct {
	kind parcelKind
	end  int64
	at   time.Time // when it arrives; without meaning while the pipe is held
}

// pipe is one direction of a connection. Positions count bytes from the connection's start:
//
//	read <= arrived <= written,  written-read <= window;  buf holds [read, written)
//
// All methods need the network's mutex.
type pipe struct {
	net  *Network
	link *Link
	rng  *rand.Rand
	from *conn // writes
	to   *conn // reads

	buf              ring
	written, arrived int64
	fin              bool // FIN has arrived: end of file after what has arrived

	wire []parcel // not yet arrived, in order; wire[:next] is used up
	next int
	free time.Time // when the wire has sent what it was given (bandwidth)
	last time.Time // latest arrival planned: nothing may overtake it

	held  bool  // partitioned: nothing arrives
	dead  bool  // the reading end vanished: nothing arrives any more
	cutAt int64 // the connection is cut when this many bytes have arrived; never

	timer   *time.Timer
	armed   time.Time // what timer is set for; zero when it is stopped
	goneFin bool      // FIN was sent
	goneRst bool      // reset was sent
}

// room is how many bytes may be written now.
func (p *pipe) room() int { return p.net.cfg.Window - p.buf.size }

// readable is how many bytes have arrived and are not yet read.
func (p *pipe) readable() int { return p.buf.size - int(p.written-p.arrived) }

// write puts as much of b as the window has room for on the wire, and returns how much that was.
func (p *pipe) write(b []byte) int {
	n := min(len(b), p.room())
	if n <= 0 {
		return 0
	}
	p.buf.push(b[:n])
	p.written += int64(n)
	p.net.stats.Written += uint64(n)
	now := time.Now()
	p.plan(now, p.written-int64(n), p.written)
	p.pump(now)
	return n
}

// mark puts FIN or reset on the wire behind all data.
func (p *pipe) mark(kind parcelKind) {
	now := time.Now()
	p.planMark(now, kind)
	p.pump(now)
}

// sendFin sends FIN once.
func (p *pipe) sendFin() {
	if !p.goneFin {
		p.goneFin = true
		p.mark(parcelFin)
	}
}

// sendReset answers data that came to a closed end, once.
func (p *pipe) sendReset() {
	if !p.goneRst {
		p.goneRst = true
		p.mark(parcelReset)
	}
}

// read takes up to len(b) bytes that have arrived.
func (p *pipe) read(b []byte) int {
	n := min(len(b), p.readable())
	if n <= 0 {
		return 0
	}
	p.buf.peek(b[:n])
	p.buf.pop(n)
	p.from.canWrite.Broadcast()
	return n
}

// discard throws away what has arrived: the reading end has closed.
func (p *pipe) discard() {
	if n := p.readable(); n > 0 {
		p.buf.pop(n)
		p.from.canWrite.Broadcast()
	}
}

// drop loses everything that has not arrived.
func (p *pipe) drop() {
	p.buf.truncate(p.readable())
	p.written = p.arrived
	p.wire, p.next = nil, 0
	p.disarm()
}

// plan schedules the bytes [start, end). While the pipe is held they only queue: release plans them again.
func (p *pipe) plan(now time.Time, start, end int64) {
	if p.held || p.net.cfg.Bandwidth == 0 {
		p.enqueue(parcelData, end, p.arrival(now))
		return
	}
	if p.free.Before(now) {
		p.free = now
	}
	for start < end {
		size := min(end-start, packetSize)
		start += size
		p.free = p.free.Add(time.Duration(size) * time.Second / time.Duration(p.net.cfg.Bandwidth))
		p.enqueue(parcelData, start, p.arrival(p.free))
	}
}

func (p *pipe) planMark(now time.Time, kind parcelKind) {
	if p.free.Before(now) {
		p.free = now
	}
	p.enqueue(kind, p.written, p.arrival(p.free))
}

// arrival draws when a packet sent at that moment arrives, no earlier than the one before it.
func (p *pipe) arrival(sent time.Time) time.Time {
	if p.held {
		return time.Time{}
	}
	at := sent.Add(p.net.delay(p.rng))
	if at.Before(p.last) {
		at = p.last
	}
	p.last = at
	return at
}

func (p *pipe) enqueue(kind parcelKind, end int64, at time.Time) {
	if p.next == len(p.wire) {
		p.wire, p.next = p.wire[:0], 0
	} else if tail := &p.wire[len(p.wire)-1]; kind == parcelData && tail.kind == parcelData && tail.at.Equal(at) {
		tail.end = end // one arrival, one parcel
		return
	} else if p.next > 64 && p.next > len(p.wire)/2 {
		p.wire, p.next = append(p.wire[:0], p.wire[p.next:]...), 0
	}
	p.wire = append(p.wire, parcel{kind: kind, end: end, at: at})
}

// pump lets everything arrive that is due, and sets the timer for what comes next.
func (p *pipe) pump(now time.Time) {
	// Delivery may drop the wire (a cut), so its state is looked at anew each time round.
	for !p.held && p.next < len(p.wire) && !p.wire[p.next].at.After(now) {
		item := p.wire[p.next]
		p.next++
		p.deliver(item)
	}
	if p.held || p.next == len(p.wire) {
		p.disarm()
		return
	}
	if at := p.wire[p.next].at; !at.Equal(p.armed) {
		p.armed = at
		if p.timer == nil {
			p.timer = time.AfterFunc(at.Sub(now), p.tick)
		} else {
			p.timer.Reset(at.Sub(now))
		}
	}
}

// tick is the timer's callback; it may come late or for a plan since changed, which pump does not mind.
func (p *pipe) tick() {
	p.net.mu.Lock()
	defer p.net.mu.Unlock()
	p.armed = time.Time{}
	p.pump(time.Now())
}

func (p *pipe) disarm() {
	if !p.armed.IsZero() {
		p.timer.Stop()
		p.armed = time.Time{}
	}
}

func (p *pipe) deliver(item parcel) {
	switch item.kind {
	case parcelFin:
		p.fin = true
		p.to.canRead.Broadcast()
	case parcelReset:
		p.to.fail(errReset)
	case parcelData:
		end := item.end
		if p.cutAt != never {
			end = min(end, p.cutAt)
		}
		p.net.stats.Delivered += uint64(end - p.arrived)
		p.arrived = end
		p.to.canRead.Broadcast()
		switch {
		case p.arrived == p.cutAt:
			p.link.cut()
		case p.to.closed:
			p.discard()
			p.to.out.sendReset()
		}
	}
}

// setHeld stops or restarts the wire. What was on it starts anew at release, as TCP would send it again.
func (p *pipe) setHeld(held bool) {
	held = held || p.dead
	if held == p.held {
		return
	}
	p.held = held
	if held {
		p.disarm()
		return
	}
	now := time.Now()
	old, start := p.wire[p.next:], p.arrived
	p.wire, p.next = nil, 0
	p.free, p.last = now, now
	for _, item := range old {
		if item.kind != parcelData {
			p.planMark(now, item.kind)
			continue
		}
		p.plan(now, start, item.end)
		start = item.end
	}
	p.pump(now)
}

// setCut plans the cut after n bytes counted from the connection's start, at once if they have arrived already.
func (p *pipe) setCut(n int64) {
	p.cutAt = max(n, never)
	if p.cutAt != never && p.cutAt <= p.arrived {
		p.link.cut()
	}
}
