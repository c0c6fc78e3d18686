package socket

import (
	"slices"
	"strings"
)

// sortedValues is a set of last values by topic, in blocks of a few hundred, so that those with a prefix lie side by
// side.
type sortedValues struct {
	blocks [][]*lastValue // none is empty
}

// blockSize is how many values a block has at most.
const blockSize = 512

// find returns the place of a topic, or where it would be. The block may be one too far if it is behind all others.
func (s *sortedValues) find(topic string) (block, at int, found bool) {
	block, found = slices.BinarySearchFunc(s.blocks, topic, func(b []*lastValue, t string) int {
		return strings.Compare(b[0].topic, t)
	})
	if found {
		return block, 0, true
	}
	if block > 0 {
		block--
	}
	if block == len(s.blocks) {
		return block, 0, false
	}
	at, found = slices.BinarySearchFunc(s.blocks[block], topic, func(v *lastValue, t string) int {
		return strings.Compare(v.topic, t)
	})
	return block, at, found
}

// insert adds a value whose topic is new.
func (s *sortedValues) insert(v *lastValue) {
	b, at, _ := s.find(v.topic)
	if b == len(s.blocks) {
		s.blocks = append(s.blocks, []*lastValue{v})
		return
	}
	block := slices.Insert(s.blocks[b], at, v)
	s.blocks[b] = block
	if len(block) > blockSize {
		half := slices.Clone(block[len(block)/2:])
		clear(block[len(block)/2:])
		s.blocks[b] = block[:len(block)/2]
		s.blocks = slices.Insert(s.blocks, b+1, half)
	}
}

// remove takes a topic out. A block that gets small joins the next.
func (s *sortedValues) remove(topic string) {
	b, at, found := s.find(topic)
	if !found {
		return
	}
	block := slices.Delete(s.blocks[b], at, at+1)
	s.blocks[b] = block
	switch {
	case len(block) == 0:
		s.blocks = slices.Delete(s.blocks, b, b+1)
	case b+1 < len(s.blocks) && len(block)+len(s.blocks[b+1]) <= blockSize/2:
		s.blocks[b] = append(block, s.blocks[b+1]...)
		s.blocks = slices.Delete(s.blocks, b+1, b+2)
	}
}

// from visits the values from a topic on, or behind another value with a later topic, in order, until visit returns
// false.
func (s *sortedValues) from(topic string, after *lastValue, visit func(v *lastValue) bool) {
	if after != nil {
		topic = after.topic
	}
	b, at, found := s.find(topic)
	if found && after != nil {
		at++
	}
	for ; b < len(s.blocks); b, at = b+1, 0 {
		for _, v := range s.blocks[b][min(at, len(s.blocks[b])):] {
			if !visit(v) {
				return
			}
		}
	}
}
