package spool_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/yodel-mq/yodel/socket/spool"
)

// content makes the message of an id: which one it is, and that it is whole, can be told from its bytes.
func content(id uint64) spool.Message {
	if m, made := contents.Load(id); made {
		return m.(spool.Message)
	}
	m := makeContent(id)
	if id < 4096 {
		contents.Store(id, m)
	}
	return m
}

var contents sync.Map // of what makeContent has made: every run needs the same

func makeContent(id uint64) spool.Message {
	r := rand.New(rand.NewPCG(id, 1))
	n := 12 + r.IntN(600)
	switch r.IntN(40) {
	case 0:
		n = 12 + r.IntN(9000)
	case 1:
		n = 16<<10 + r.IntN(3000) // written from where the caller has it
	}
	frames := make([][]byte, 1+r.IntN(3))
	frames[0] = binary.LittleEndian.AppendUint64(nil, id)
	for i := range frames {
		b := make([]byte, n/len(frames))
		for j := 0; j+8 <= len(b); j += 8 {
			binary.LittleEndian.PutUint64(b[j:], r.Uint64())
		}
		frames[i] = append(frames[i], b...)
	}
	return spool.Message{Frames: frames}
}

// idOf tells which message it is; ok is false if it is not as content made it.
func idOf(m *spool.Message) (id uint64, ok bool) {
	if len(m.Frames) == 0 || len(m.Frames[0]) < 8 {
		return 0, false
	}
	id = binary.LittleEndian.Uint64(m.Frames[0])
	want := content(id)
	return id, slices.EqualFunc(want.Frames, m.Frames, bytes.Equal)
}

// A try is a commit of which nobody has told how it ended: all of it is there after the next Open, or nothing.
type try struct {
	ids    []uint64 // messages
	atomic bool
	maybe  bool   // it may be there in this life too: only some of several commits have failed
	first  uint64 // of a maybe: the seq of the first of ids
	key    string // a value
	value  string
	stream spool.ID // what was taken, the origins of ids in order
	taken  []uint64
	bury   uint64     // this seq became a dead letter
	undead uint64     // this dead letter went
	drop   string     // this cursor went
	make   string     // this cursor came
	forget []spool.ID // of these streams nothing is known any more
}

// A place is what is known of one cursor.
type cursorModel struct {
	start uint64 // from this seq on it gets everything
	exact bool   // start is exactly known
	told  map[uint64]bool
	tried map[uint64]bool
}

// A model is all that a spool must know, and all that it may.
type model struct {
	nextID  uint64
	bySeq   map[uint64]uint64 // the messages that are there, or were
	highest uint64            // seq that was given in this life
	origin  map[uint64]spool.Origin
	cursors map[string]*cursorModel
	values  map[string]string
	taken   map[spool.ID]map[uint64]bool
	dead    map[uint64]uint64 // by seq, the id
	tries   []try
	never   map[uint64]bool      // ids that must not come any more
	expires map[uint64]time.Time // by id, of those that do
}

func newModel() *model {
	return &model{
		bySeq: make(map[uint64]uint64), origin: make(map[uint64]spool.Origin), cursors: make(map[string]*cursorModel),
		values: make(map[string]string), taken: make(map[spool.ID]map[uint64]bool), dead: make(map[uint64]uint64),
		never: make(map[uint64]bool), expires: make(map[uint64]time.Time),
	}
}

func (m *model) clone() *model {
	c := *m
	c.bySeq, c.origin, c.values = maps.Clone(m.bySeq), maps.Clone(m.origin), maps.Clone(m.values)
	c.dead, c.never, c.tries = maps.Clone(m.dead), maps.Clone(m.never), slices.Clone(m.tries)
	c.expires = maps.Clone(m.expires)
	c.cursors = make(map[string]*cursorModel)
	for name, cur := range m.cursors {
		c.cursors[name] = &cursorModel{cur.start, cur.exact, maps.Clone(cur.told), maps.Clone(cur.tried)}
	}
	c.taken = make(map[spool.ID]map[uint64]bool)
	for id, set := range m.taken {
		c.taken[id] = maps.Clone(set)
	}
	return &c
}

// done notes how a commit ended. What was uncertain before one that succeeded is void for good.
func (m *model) done(t try, first uint64, err error) error {
	switch {
	case err == nil:
		m.settleTries()
		return m.happened(t, first)
	case errors.Is(err, spool.ErrUncertain) || errors.Is(err, errStopped):
		if errors.Is(err, spool.ErrUncertain) && first > 0 {
			if first <= m.highest {
				return fmt.Errorf("seq %d was given twice", first)
			}
			m.highest = first
		}
		m.tries = append(m.tries, t)
	default:
		m.giveUp(t)
	}
	return nil
}

// giveUp notes that a commit must not come any more.
func (m *model) giveUp(t try) {
	if t.undead > 0 { // the message is there already, as a dead letter
		return
	}
	for _, id := range t.ids {
		m.never[id] = true
	}
}

// settleTries gives up what is uncertain: after a commit that has succeeded it can only be void.
func (m *model) settleTries() {
	left := m.tries[:0:0]
	for _, t := range m.tries {
		if t.maybe {
			left = append(left, t)
		} else {
			m.giveUp(t)
		}
	}
	m.tries = left
}

// happened notes a commit that is on disk.
func (m *model) happened(t try, first uint64) error {
	if len(t.ids) > 0 {
		if first <= m.highest {
			return fmt.Errorf("seq %d was given twice, or out of order: %d was given before", first, m.highest)
		}
		m.highest = first + uint64(len(t.ids)) - 1
	}
	for i, id := range t.ids {
		m.bySeq[first+uint64(i)] = id
		if len(t.taken) > 0 {
			m.origin[first+uint64(i)] = spool.Origin{Stream: t.stream, Seq: t.taken[i]}
		}
		if o, there := m.origin[t.undead]; there && t.undead > 0 {
			m.origin[first+uint64(i)] = o
		}
	}
	m.effects(t)
	return nil
}

func (m *model) effects(t try) {
	if t.key != "" {
		m.values[t.key] = t.value
	}
	if len(t.taken) > 0 && m.taken[t.stream] == nil {
		m.taken[t.stream] = make(map[uint64]bool)
	}
	for _, n := range t.taken {
		m.taken[t.stream][n] = true
	}
	if t.bury > 0 {
		m.dead[t.bury] = m.bySeq[t.bury]
		m.cursors[""].tried[t.bury], m.cursors[""].told[t.bury] = true, true
	}
	if t.undead > 0 {
		delete(m.dead, t.undead)
	}
	if t.drop != "" {
		delete(m.cursors, t.drop)
	}
	for _, id := range t.forget {
		delete(m.taken, id)
	}
	if t.make != "" {
		m.cursors[t.make] = &cursorModel{start: m.highest + 1, told: map[uint64]bool{}, tried: map[uint64]bool{}}
	}
}

// seqs are those of all messages that may be there in this life, the uncertain ones among them.
func (m *model) seqs() iter.Seq[uint64] {
	return func(yield func(uint64) bool) {
		for seq := range m.bySeq {
			if !yield(seq) {
				return
			}
		}
		for _, t := range m.tries {
			for i := range t.ids {
				if t.maybe && !yield(t.first+uint64(i)) {
					return
				}
			}
		}
	}
}

// mayGo: a message is there for no cursor any more, or still is for some or all if that was not on disk yet: a commit
// that was torn can have taken it from one cursor and not from the next.
func (m *model) mayGo(seq uint64) {
	for _, c := range m.cursors {
		c.tried[seq] = true
	}
}

// drain takes all that a cursor hands out.
func drain(ctx context.Context, c *spool.Cursor) ([]spool.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	var all []spool.Message
	for {
		ms, err := c.Next(ctx, 1000, 0)
		if errors.Is(err, context.DeadlineExceeded) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		all = append(all, ms...)
	}
}

// observe holds a spool that was just opened against the model, and tells the model what has become of the tries.
func (m *model) observe(ctx context.Context, s *spool.Spool) error {
	if d := s.Stats().Damaged; d != (spool.Count{}) {
		return fmt.Errorf("damage is reported: %v", d)
	}
	names := make(map[string]bool)
	for _, c := range s.Stats().Cursors {
		names[c.Name] = true
	}
	for i := range m.tries {
		t := &m.tries[i]
		if t.make != "" && names[t.make] {
			m.effects(try{make: t.make})
			m.cursors[t.make].start = 1<<64 - 1
		}
		if t.drop != "" && !names[t.drop] {
			m.effects(try{drop: t.drop})
		}
	}
	for name := range m.cursors {
		if !names[name] {
			return fmt.Errorf("cursor %q is gone", name)
		}
	}
	began := now()
	got := make(map[string]map[uint64]spool.Message)
	for _, name := range slices.Sorted(maps.Keys(m.cursors)) {
		c, err := s.Cursor(name, spool.CursorOptions{})
		if err != nil {
			return err
		}
		ms, err := drain(ctx, c)
		if err != nil {
			return err
		}
		got[name] = make(map[uint64]spool.Message)
		last := uint64(0)
		for i := range ms {
			if ms[i].Seq <= last {
				return fmt.Errorf("cursor %q: seq %d after %d", name, ms[i].Seq, last)
			}
			last = ms[i].Seq
			got[name][last] = ms[i]
		}
		c.Release(spool.Range{From: 0, To: last + 1})
	}
	dead := make(map[uint64]uint64)
	for d, err := range s.DeadLetters(ctx) {
		if err != nil {
			return err
		}
		id, ok := idOf(&d.Message)
		if !ok {
			return fmt.Errorf("dead letter %d is not as it was", d.Seq)
		}
		dead[d.Seq] = id
	}
	all := make(map[uint64]spool.Message) // what some cursor has: a purge that was torn can have been for others alone
	for _, ms := range got {
		maps.Copy(all, ms)
	}
	if err := m.observeTries(s, all, dead); err != nil {
		return err
	}
	if err := m.observeExpiry(got, began); err != nil {
		return err
	}
	if err := m.observeMessages(got); err != nil {
		return err
	}
	return m.observeState(s, dead)
}

// observeTries finds out how each try has ended.
func (m *model) observeTries(s *spool.Spool, got map[uint64]spool.Message, dead map[uint64]uint64) error {
	found := make(map[uint64]uint64) // id to seq, of what is new
	for seq := range got {
		msg := got[seq]
		id, ok := idOf(&msg)
		if !ok {
			return fmt.Errorf("message %d is not as it was appended", seq)
		}
		if known, there := m.bySeq[seq]; there {
			if known != id {
				return fmt.Errorf("seq %d was message %d and is %d", seq, known, id)
			}
			continue
		}
		if m.never[id] {
			return fmt.Errorf("message %d has come as seq %d after all", id, seq)
		}
		found[id] = seq
	}
	tries := m.tries
	m.tries = nil
	for _, t := range tries {
		n, lasting := 0, 0 // found, and to be found, for what has expired by now is not
		for _, id := range t.ids {
			if at, expires := m.expires[id]; !expires || at.After(now()) {
				lasting++
			}
			if seq, ok := found[id]; ok {
				n++
				delete(found, id)
				m.bySeq[seq] = id
				if o := got[seq].Origin; o != (spool.Origin{}) && (len(t.taken) > 0 || o == m.origin[t.undead]) {
					m.origin[seq] = o
				}
			} else if t.undead == 0 {
				m.never[id] = true
			}
		}
		happened := n > 0
		switch {
		case t.atomic && n > 0 && n < lasting:
			return fmt.Errorf("%d of %d messages of a Tx are there", n, lasting)
		case lasting > 0:
		case t.key != "":
			v, _ := s.Value(t.key)
			happened = string(v) == t.value
		case t.bury > 0:
			_, happened = dead[t.bury]
		case t.undead > 0:
			_, still := dead[t.undead]
			happened = !still
		case len(t.forget) > 0:
			for _, id := range t.forget {
				if _, _, known := s.Taken(id); !known {
					delete(m.taken, id)
				}
			}
			happened = false
		}
		t.ids, t.make, t.drop = nil, "", ""
		if happened {
			m.effects(t)
		}
	}
	for id, seq := range found {
		return fmt.Errorf("message %d, seq %d, comes from nowhere", id, seq)
	}
	return nil
}

// observeExpiry holds what was handed out against the times when it expires, to the second.
func (m *model) observeExpiry(got map[string]map[uint64]spool.Message, began time.Time) error {
	for name, ms := range got {
		for seq, msg := range ms {
			want, expires := m.expires[m.bySeq[seq]]
			switch late := msg.Expires.Sub(want); {
			case expires != !msg.Expires.IsZero(), expires && (late < 0 || late >= time.Second):
				return fmt.Errorf("cursor %q: seq %d expires at %v, not %v", name, seq, msg.Expires, want)
			case expires && !msg.Expires.After(began):
				return fmt.Errorf("cursor %q: seq %d has expired at %v and is handed out at %v", name, seq, want, began)
			}
		}
	}
	for seq, id := range m.bySeq {
		if at, expires := m.expires[id]; expires && !at.After(now()) {
			m.mayGo(seq)
		}
	}
	return nil
}

// observeMessages holds what each cursor gets against what it must get.
func (m *model) observeMessages(got map[string]map[uint64]spool.Message) error {
	for name, c := range m.cursors {
		for seq := range got[name] {
			if c.told[seq] {
				return fmt.Errorf("cursor %q: seq %d is settled and is handed out", name, seq)
			}
			msg := got[name][seq]
			if id, ok := idOf(&msg); !ok || id != m.bySeq[seq] {
				return fmt.Errorf("cursor %q: seq %d is message %d, not %d (%v)", name, seq, id, m.bySeq[seq], ok)
			}
			if msg.Origin != m.origin[seq] {
				return fmt.Errorf("seq %d comes from %v, not %v", seq, msg.Origin, m.origin[seq])
			}
		}
		for seq, id := range m.bySeq {
			if _, there := got[name][seq]; !there && !c.tried[seq] && seq >= c.start {
				return fmt.Errorf("cursor %q: seq %d (message %d) is lost", name, seq, id)
			}
		}
		for seq := range c.tried { // what was tried and is not handed out is settled from now on
			_, there := got[name][seq]
			_, known := m.bySeq[seq]
			switch {
			case !known: // an uncertain message that has not come: its seq may be given anew
				delete(c.tried, seq)
			case !there:
				c.told[seq] = true
			case !c.told[seq]:
				delete(c.tried, seq)
			}
		}
	}
	m.highest = 0
	for seq := range m.bySeq {
		m.highest = max(m.highest, seq)
	}
	for _, c := range m.cursors { // whatever is appended from now on is for all that there are
		c.start = min(c.start, m.highest+1)
	}
	return nil
}

// observeState holds the rest.
func (m *model) observeState(s *spool.Spool, dead map[uint64]uint64) error {
	if !maps.Equal(dead, m.dead) {
		return fmt.Errorf("the dead letters are %v, not %v", dead, m.dead)
	}
	for key, value := range m.values {
		if v, ok := s.Value(key); !ok || string(v) != value {
			return fmt.Errorf("value %q is %q, not %q", key, v, value)
		}
	}
	for stream, want := range m.taken {
		floor, above, known := s.Taken(stream)
		has := func(n uint64) bool {
			return n < floor || slices.ContainsFunc(above, func(r spool.Range) bool { return r.From <= n && n < r.To })
		}
		if !known {
			return fmt.Errorf("stream %v is not known", stream)
		}
		for n := range uint64(400) {
			if n > 0 && has(n) != want[n] {
				return fmt.Errorf("stream %v: taken of %d is %v, not %v", stream, n, has(n), want[n])
			}
		}
	}
	return nil
}
