package prefix

import "slices"

// sets keeps the sets of values under numbers. All sets of the same single value have the same number, so that a
// subscription of a peer that has a thousand of them needs no more than that number.
type sets[V comparable] struct {
	single  []V          // the values that are alone in a set, by the number of that less 1
	uses    []uint32     // how many sets that are
	numbers map[V]uint32 // of single
	unused  []uint32     // numbers to give to others
	large   arena[[]V]   // the other sets; the number of one is several and its place
}

const (
	none    = 0 // the number of the empty set
	several = 1 << 31
)

// of returns a set. It must not be changed, and is valid until the next change.
func (s *sets[V]) of(set uint32) []V {
	switch {
	case set == none:
		return nil
	case set < several:
		return s.single[set-1 : set : set]
	}
	return *s.at(set)
}

func (s *sets[V]) at(set uint32) *[]V { return &s.large.block(int(set-several), 0)[0] }

// add puts one more value into a set, and returns the number that it has then. The value may be there: then added is
// false.
func (s *sets[V]) add(set uint32, v V) (now uint32, added bool) {
	if slices.Contains(s.of(set), v) {
		return set, false
	}
	switch {
	case set == none:
		return s.use(v), true
	case set < several:
		first := s.single[set-1]
		s.unuse(set)
		set = several + uint32(s.large.take(0))
		*s.at(set) = []V{first, v}
	default:
		*s.at(set) = append(*s.at(set), v)
	}
	return set, true
}

// remove takes a value out of a set, and returns the number that it has then. The value may not be there: then
// removed is false.
func (s *sets[V]) remove(set uint32, v V) (now uint32, removed bool) {
	i := slices.Index(s.of(set), v)
	switch {
	case i < 0:
		return set, false
	case set < several:
		s.unuse(set)
		return none, true
	}
	left := slices.Delete(*s.at(set), i, i+1)
	*s.at(set) = left
	if len(left) > 1 {
		return set, true
	}
	last := left[0]
	s.large.give(int(set-several), 0)
	return s.use(last), true
}

// use returns the number of the set of a single value for one more place.
func (s *sets[V]) use(v V) uint32 {
	set, ok := s.numbers[v]
	if !ok {
		set = s.number(v)
	}
	s.uses[set-1]++
	return set
}

// number makes the set of a single value.
func (s *sets[V]) number(v V) (set uint32) {
	if last := len(s.unused) - 1; last >= 0 {
		set, s.unused = s.unused[last], s.unused[:last]
		s.single[set-1] = v
	} else {
		s.single = append(s.single, v)
		s.uses = append(s.uses, 0)
		set = uint32(len(s.single))
	}
	if s.numbers == nil {
		s.numbers = make(map[V]uint32)
	}
	s.numbers[v] = set
	return set
}

// unuse ends what use began.
func (s *sets[V]) unuse(set uint32) {
	if s.uses[set-1]--; s.uses[set-1] == 0 {
		delete(s.numbers, s.single[set-1])
		clear(s.single[set-1 : set])
		s.unused = append(s.unused, set)
	}
}

// move takes over a set of several values from an arena that is given up.
func (s *sets[V]) move(set uint32, from *arena[[]V]) uint32 {
	if set < several {
		return set
	}
	values := from.block(int(set-several), 0)[0]
	set = several + uint32(s.large.take(0))
	*s.at(set) = values
	return set
}
