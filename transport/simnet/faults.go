package simnet

import "slices"

// faults is what is broken on purpose, by name; it applies to connections there are and to those still to come.
type faults struct {
	groups  [][]string  // each isolated from everybody outside it
	oneWay  [][2]string // from, to
	stalled []string
	refused []string
	cuts    []nextCut
}

type nextCut struct {
	name  string
	dir   Direction
	after int64
}

// blocks reports whether bytes from one end to another are held.
func (f *faults) blocks(from, to names) bool {
	for _, g := range f.groups {
		if from.in(g) != to.in(g) {
			return true
		}
	}
	for _, w := range f.oneWay {
		if from.has(w[0]) && to.has(w[1]) {
			return true
		}
	}
	return false
}

// takeCuts removes and returns the planned cuts that this connection is the next one for: the first for each direction,
// so that several planned for one name fall on as many connections in turn.
func (f *faults) takeCuts(l *Link) []nextCut {
	var taken []nextCut
	used := map[Direction]bool{}
	f.cuts = slices.DeleteFunc(f.cuts, func(c nextCut) bool {
		if used[c.dir] || !l.dialer.names.has(c.name) && !l.listener.names.has(c.name) {
			return false
		}
		used[c.dir] = true
		taken = append(taken, c)
		return true
	})
	return taken
}

// Partition isolates the named hosts or addresses, as one group, from all others, both ways; members of the group still
// reach each other. Nothing is reset: bytes are held as TCP would hold them, those on the wire too, and dials hang
// until their context ends. Further partitions add to those there are. "*" isolates everything from everything.
// Without names it has no effect.
func (n *Network) Partition(names ...string) {
	n.change(func(f *faults) {
		if slices.Contains(names, "*") {
			f.oneWay = append(f.oneWay, [2]string{"*", "*"})
			return
		}
		f.groups = append(f.groups, slices.Clone(names))
	})
}

// PartitionOneWay holds what travels from one host or address to another; the other way stays open. Dials between the
// two hang in either direction, since a handshake needs both ways. "*" stands for everybody.
func (n *Network) PartitionOneWay(from, to string) {
	n.change(func(f *faults) { f.oneWay = append(f.oneWay, [2]string{from, to}) })
}

// Heal ends all partitions. What was held sets out now and arrives one latency later, in order; hanging dials go on.
// Stalls and refusals stay.
func (n *Network) Heal() {
	n.change(func(f *faults) { f.groups, f.oneWay = nil, nil })
}

// Stall stops reading at the named hosts or addresses: Read there waits, whatever has arrived (a reset too), so that
// their peers' writes fill the window and then block. Deadlines and Close still end a Read.
func (n *Network) Stall(names ...string) {
	n.change(func(f *faults) { f.stalled = append(f.stalled, names...) })
}

// Unstall undoes Stall for exactly these names.
func (n *Network) Unstall(names ...string) {
	n.change(func(f *faults) { f.stalled = without(f.stalled, names) })
}

// Refuse makes dials to the named hosts or addresses fail with ECONNREFUSED though somebody listens. Connections there
// are stay.
func (n *Network) Refuse(names ...string) {
	n.change(func(f *faults) { f.refused = append(f.refused, names...) })
}

// Allow undoes Refuse for exactly these names.
func (n *Network) Allow(names ...string) {
	n.change(func(f *faults) { f.refused = without(f.refused, names) })
}

// Cut resets every live connection of the named hosts or addresses: both ends get ECONNRESET at once, also across a
// partition, and bytes on the wire are lost. New dials work. It returns how many connections it cut.
func (n *Network) Cut(names ...string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	before := n.stats.Cuts
	for _, l := range n.sortedLinks() {
		if l.dialer.names.in(names) || l.listener.names.in(names) {
			l.cut()
		}
	}
	return int(n.stats.Cuts - before)
}

// CutNext plans a cut of the next connection made that has the named host or address at either end, when exactly so
// many bytes have arrived in the given direction; see Link.CutAfter. Calls add up: two plans for one name and direction
// fall on two connections in turn. It takes precedence over what Config.OnConn or Config.CutPerKiB plan for that
// direction.
func (n *Network) CutNext(name string, dir Direction, bytes int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.faults.cuts = append(n.faults.cuts, nextCut{name, dir, bytes})
}

// Vanish makes the ends of live connections at the named hosts or addresses disappear without FIN or reset, as when a
// host loses power. What they had on the wire is lost. Their peers learn nothing: reads hang, writes are swallowed up
// to the window and then block. The vanished ends themselves fail with ECONNABORTED. Listeners and new dials are not
// touched; add Partition or Refuse to keep the host away. It returns how many ends vanished.
func (n *Network) Vanish(names ...string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	count := 0
	for _, l := range n.sortedLinks() {
		if l.dead {
			continue
		}
		for _, end := range l.ends() {
			if !end.vanished && end.names.in(names) {
				end.vanish()
				count++
			}
		}
		l.release()
	}
	n.stats.Vanished += uint64(count)
	return count
}

func (c *conn) vanish() {
	c.vanished = true
	c.in.dead = true
	c.in.setHeld(true)
	c.fail(errVanished)
}

// change alters the faults, applies them to every connection and wakes hanging dials.
func (n *Network) change(alter func(*faults)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	alter(&n.faults)
	for _, l := range n.sortedLinks() {
		n.applyTo(l)
	}
	close(n.changed)
	n.changed = make(chan struct{})
}

// applyTo brings one connection in line with the faults; the mutex is held.
func (n *Network) applyTo(l *Link) {
	for _, end := range l.ends() {
		end.stalled = end.names.in(n.faults.stalled)
		if !end.stalled {
			end.canRead.Broadcast()
		}
	}
	for _, p := range [2]*pipe{l.dialer.out, l.dialer.in} {
		p.setHeld(n.faults.blocks(p.from.names, p.to.names))
	}
}

func without(list, names []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(names, s) })
}
