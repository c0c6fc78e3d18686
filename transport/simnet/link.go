package simnet

import (
	"fmt"
	"time"
)

// Direction is one of the two ways bytes travel on a connection.
type Direction int

const (
	// ToListener is from the end that dialled to the end that accepted.
	ToListener Direction = iota
	// ToDialer is from the end that accepted to the end that dialled.
	ToDialer
)

// String returns "to listener" or "to dialer".
func (d Direction) String() string {
	switch d {
	case ToListener:
		return "to listener"
	case ToDialer:
		return "to dialer"
	}
	return fmt.Sprintf("direction %d", int(d))
}

// Link is one connection as the network sees it, for planning faults on it; Config.OnConn hands it out. Its methods are
// safe for any number of goroutines and do nothing once the connection is over.
type Link struct {
	net      *Network
	number   uint64
	from, to string
	dialer   *conn
	listener *conn

	// Guarded by net.mu.
	dead bool        // cut, or otherwise reset
	life *time.Timer // Config.MeanLife
}

// Number is this connection's place in the order in which the network's connections were made, from 1.
func (l *Link) Number() uint64 { return l.number }

// From is the host that dialled; empty for the unnamed host.
func (l *Link) From() string { return l.from }

// To is the address that was dialled.
func (l *Link) To() string { return l.to }

// String returns something like "#3 a -> collector:1".
func (l *Link) String() string { return fmt.Sprintf("#%d %s -> %s", l.number, l.from, l.to) }

// Cut resets the connection now: both ends fail with ECONNRESET, bytes on the wire are lost, bytes that have arrived
// can still be read.
func (l *Link) Cut() {
	l.net.mu.Lock()
	defer l.net.mu.Unlock()
	l.cut()
}

// CutAfter resets the connection at the moment when exactly n bytes, counted from its start, have arrived in this
// direction: the reader reads n bytes and then gets ECONNRESET. If that many have arrived already it is cut now, so 0
// cuts at once. Each direction has one such mark; a later call replaces it, and a negative n takes it back.
func (l *Link) CutAfter(dir Direction, n int64) {
	l.net.mu.Lock()
	defer l.net.mu.Unlock()
	l.pipe(dir).setCut(n)
}

func (l *Link) pipe(dir Direction) *pipe {
	if dir == ToDialer {
		return l.dialer.in
	}
	return l.dialer.out
}

func (l *Link) ends() [2]*conn { return [2]*conn{l.dialer, l.listener} }

// cut is a reset that counts; the mutex is held.
func (l *Link) cut() {
	if l.reset() {
		l.net.stats.Cuts++
	}
}

// reset fails both ends at once and reports whether there was anything left to fail; the mutex is held.
func (l *Link) reset() bool {
	if _, live := l.net.links[l]; !live || l.dead {
		return false
	}
	l.dead = true
	for _, end := range l.ends() {
		end.fail(errReset)
	}
	l.stopLife()
	return true
}

// release forgets the connection when neither end can be used any more; the mutex is held.
func (l *Link) release() {
	for _, end := range l.ends() {
		if !end.closed && !end.vanished {
			return
		}
	}
	l.dialer.out.drop()
	l.dialer.in.drop()
	l.stopLife()
	delete(l.net.links, l)
}

func (l *Link) stopLife() {
	if l.life != nil {
		l.life.Stop()
	}
}

// abandon is for a dial whose context ended after the listener's side was made.
func (l *Link) abandon() {
	l.net.mu.Lock()
	defer l.net.mu.Unlock()
	l.reset()
	l.dialer.close()
}
