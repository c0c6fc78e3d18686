package socket

// A wire carries a link's messages over a connection, as bytes: link_write.go is the way out, link_read.go the way in,
// link_heartbeat.go looks after the peer.
type wire struct{ link *link }

func (w *wire) agree() error   { return nil }
func (w *wire) run() error     { return w.link.read() }
func (w *wire) leave()         {}
func (w *wire) peerEnd() error { return w.link.peerEnd() }

func (w *wire) flush()         {} // what is queued is being written
func (w *wire) policyChanged() {} // the next message that finds no room meets it

// mayBeUnread reports whether the peer was sent messages, counted or just being written: the kernels have them.
func (w *wire) mayBeUnread() bool {
	l := w.link
	l.core.out.mu.Lock()
	defer l.core.out.mu.Unlock()
	return l.out.counts.delivered.Messages > 0 || l.out.writing
}

func (w *wire) pull() {}

// resume tells the reader that there is room again.
func (w *wire) resume() {
	select {
	case w.link.in.resume <- struct{}{}:
	default:
	}
}

// subscribeAll has the peer told as fast as it reads.
func (w *wire) subscribeAll(s *subscriptions) {
	s.changes.Lock()
	defer s.changes.Unlock()
	l := w.link
	s.links[l] = struct{}{}
	s.core.out.mu.Lock()
	defer s.core.out.mu.Unlock()
	l.out.told = s.log.reader()
	if len(s.wants) > 0 {
		l.tell()
	}
}

// subscribe has the peer told what is in the log of changes.
func (w *wire) subscribe(bool, string) {
	w.link.core.out.mu.Lock()
	defer w.link.core.out.mu.Unlock()
	w.link.tell()
}

func (w *wire) open() bool { return !w.link.out.full && !w.link.out.dead }

func (w *wire) makeRoom() bool {
	o := &w.link.out
	if o.dead || o.open.count.Messages == 0 {
		return false
	}
	w.link.dropped(QueueFull, o.open.dropOldest())
	o.full = false
	return true
}

func (w *wire) queued() uint64 { return w.link.out.counts.queued.Messages }
