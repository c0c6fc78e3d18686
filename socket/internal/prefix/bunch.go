package prefix

import (
	"bytes"
	"encoding/binary"
)

// A bunch is what a node has of leaves whose labels differ in nothing but the first byte: those of room/1/temp,
// room/2/temp and room/3/temp, or of 1000 to 1009. It is a block among the texts:
//
//	4 bytes         the place of a node that has the table of all other children
//	1 byte          the length of the text behind the first bytes
//	                that text
//	4 bytes each    the sets: a single one for all leaves, or one for each
//	1 byte each     the first bytes
//
// So a subscription takes one byte or five where it would take a slot of 16 and a text, and ten numbers are in one line
// of the processor's cache.
type bunch struct {
	n     *node // mask and more are about the bunch
	block []byte
	text  []byte
	sets  []byte // as many as there is room for, if one for each
	first []byte
}

const (
	bunched = 1 << 31 // in node.kids: not the place of a table but of a bunch
	own     = 1 << 7  // in node.mask: a set for each leaf; the other bits are the logarithm of the length of the block

	textLen = 4 // where the length of the text is
	head    = 5
	setLen  = 4
)

func (n *node) bunched() bool { return n.kids >= bunched }

func (n *node) bunchAt() int { return int(n.kids-bunched) << unit }

func (n *node) bunchBits() uint8 { return n.mask &^ own }

// bunchMask is node.mask for so many leaves.
func bunchMask(text, leaves int, own uint8) uint8 {
	if own == 0 {
		return textBits(head + text + setLen + leaves)
	}
	return textBits(head+text+(setLen+1)*leaves) | own
}

// bunch returns the bunch of a node that has one. It is valid until a block is taken from the texts, or the bunch
// changes.
func (r *radix) bunch(n *node) bunch {
	block := r.texts.block(n.bunchAt(), n.bunchBits())
	sets, first := n.bunchParts(block)
	return bunch{n, block, block[head:sets], block[sets:first], block[first:][: int(n.more)+1 : len(block)-first]}
}

// bunchParts returns where in the block of a bunch the sets are, and the first bytes.
func (n *node) bunchParts(block []byte) (sets, first int) {
	sets = head + int(block[textLen])
	if n.mask&own == 0 {
		return sets, sets + setLen
	}
	return sets, sets + (len(block)-sets)/(setLen+1)*setLen
}

// leaf returns the set of the leaf in the bunch of n that a topic begins with, or none. If no leaf has the first
// byte, the bunch does not know, and the others may.
func (r *radix) leaf(n *node, topic []byte) (set, others uint32, known bool) {
	block := r.texts.block(n.bunchAt(), n.bunchBits())
	sets, first := n.bunchParts(block)
	i := bytes.IndexByte(block[first:first+int(n.more)+1], topic[0])
	if i < 0 {
		return none, binary.LittleEndian.Uint32(block), false
	}
	if sets > head && !bytes.HasPrefix(topic[1:], block[head:sets]) {
		return none, nowhere, true
	}
	if n.mask&own == 0 {
		i = 0
	}
	return binary.LittleEndian.Uint32(block[sets+setLen*i:]), nowhere, true
}

func (b bunch) others() uint32      { return binary.LittleEndian.Uint32(b.block) }
func (b bunch) setOthers(at uint32) { binary.LittleEndian.PutUint32(b.block, at) }

func (b bunch) label(i int) string { return string(b.first[i:i+1]) + string(b.text) }

func (b bunch) set(i int) uint32 {
	if b.n.mask&own == 0 {
		i = 0
	}
	return binary.LittleEndian.Uint32(b.sets[setLen*i:])
}

func (b bunch) put(i int, first byte, set uint32) {
	b.first[i] = first
	if b.n.mask&own == 0 {
		i = 0
	}
	binary.LittleEndian.PutUint32(b.sets[setLen*i:], set)
}

// index returns which leaf has a first byte, or -1.
func (b bunch) index(first byte) int { return bytes.IndexByte(b.first, first) }

// distinct is how many sets there are: one for all, or one for each.
func (b bunch) distinct() int {
	if b.n.mask&own == 0 {
		return 1
	}
	return len(b.first)
}

// room is how many leaves there can be.
func (b bunch) room() int {
	if b.n.mask&own == 0 {
		return cap(b.first)
	}
	return len(b.sets) / setLen
}

// others returns the place of the node that has the table of the children: that itself, or the one beside its bunch.
func (r *radix) others(at uint32) uint32 {
	if n := r.node(at); n.bunched() {
		return r.bunch(n).others()
	}
	return at
}

// needOthers is the same, but makes the node beside a bunch if there is none.
func (r *radix) needOthers(at uint32) uint32 {
	others := r.others(at)
	if others == nowhere {
		others = uint32(r.nodes.take(0))
		r.bunch(r.node(at)).setOthers(others)
	}
	return others
}

// join adds a leaf to the bunch of n.
func (r *radix) join(n *node, first byte, set uint32) {
	b := r.bunch(n)
	have, each := len(b.first), n.mask&own
	if set != b.set(0) {
		each = own
	}
	if have == b.room() || each != n.mask&own {
		r.rearrange(n, bunchMask(len(b.text), have+1, each))
		b = r.bunch(n)
	}
	n.more++
	b.first = b.first[:have+1]
	b.put(have, first, set)
}

// reset gives a leaf of n another set.
func (r *radix) reset(n *node, leaf int, set uint32) {
	if n.mask&own == 0 && n.more > 0 {
		b := r.bunch(n)
		r.rearrange(n, bunchMask(len(b.text), len(b.first), own))
	}
	b := r.bunch(n)
	b.put(leaf, b.first[leaf], set)
}

// rearrange moves the bunch of n to a block of another length or kind.
func (r *radix) rearrange(n *node, mask uint8) {
	place := r.texts.take(mask &^ own)
	was := *n
	from := r.bunch(&was)
	n.kids, n.mask = bunched+uint32(place>>unit), mask
	copy(r.texts.block(n.bunchAt(), n.bunchBits()), from.block[:head+len(from.text)])
	to := r.bunch(n)
	for i, first := range from.first {
		to.put(i, first, from.set(i))
	}
	r.texts.give(was.bunchAt(), was.bunchBits())
}

// pluck takes a leaf out of the bunch of n. If it is the last, the others are the children of n itself from then on.
func (r *radix) pluck(n *node, leaf int) {
	b := r.bunch(n)
	last := len(b.first) - 1
	if last == 0 {
		others := b.others()
		r.texts.give(n.bunchAt(), n.bunchBits())
		o := r.node(others)
		n.kids, n.mask, n.more = o.kids, o.mask, o.more
		if others != nowhere {
			*o = node{}
			r.nodes.give(int(others), 0)
		}
		return
	}
	b.put(leaf, b.first[last], b.set(last))
	n.more--
	if mask := bunchMask(len(b.text), last, n.mask&own); last <= b.room()/4 && mask != n.mask {
		r.rearrange(n, mask)
	}
}
