package prefix

import (
	"encoding/binary"
	"math/bits"
)

// A node takes 16 bytes, so that four are in one line of the processor's cache, and holds no pointers.
type node struct {
	kids  uint32       // where the children are: nowhere, in a table, or from bunched on in a bunch
	set   uint32       // the values: the number of a set
	text  [inline]byte // the label but for its first byte or, where that is longer, its place among the texts
	first byte         // the first byte of the label
	size  uint8        // the length of the rest
	mask  uint8        // the length of the table less 1
	more  uint8        // the number of children in it less 1
}

const (
	nowhere = 0 // the place of a node without values and children, and where there is no table
	root    = 1 // the place of the one without a label

	inline   = 4
	maxText  = 255
	maxLabel = 1 + maxText // what is longer takes several nodes
	unit     = 3           // texts begin at multiples of 1<<unit
)

// A radix maps prefixes to numbers of sets.
type radix struct {
	nodes arena[node]
	texts arena[byte]
}

// node returns the node at a place. It is valid until a block is taken from the nodes.
func (r *radix) node(at uint32) *node { return &r.nodes.chunks[at>>chunkBits][at&chunkMask] }

// free tells whether this is none, but a free slot in a table.
func (n *node) free() bool { return n.set == none && n.kids == nowhere }

// text returns the label but for its first byte. It is valid until a block is taken from the texts.
func (r *radix) text(n *node) []byte {
	if n.size <= inline {
		return n.text[:n.size]
	}
	at := n.textAt()
	return r.texts.chunks[at>>chunkBits][at&chunkMask:][:n.size]
}

func (n *node) textAt() int { return int(binary.LittleEndian.Uint32(n.text[:])) << unit }

func textBits(size int) uint8 { return uint8(max(unit, bits.Len(uint(size-1)))) }

// label returns the whole label.
func (r *radix) label(n *node) string {
	var l [maxLabel]byte
	return string(append(append(l[:0], n.first), r.text(n)...))
}

// name gives a label of up to maxLabel bytes to a node that has none.
func (r *radix) name(n *node, label string) {
	n.first, n.size = label[0], uint8(len(label)-1)
	if n.size > inline {
		binary.LittleEndian.PutUint32(n.text[:], uint32(r.texts.take(textBits(int(n.size)))>>unit))
	}
	copy(r.text(n), label[1:])
}

// unname takes the label away.
func (r *radix) unname(n *node) {
	if n.size > inline {
		r.texts.give(n.textAt(), textBits(int(n.size)))
	}
	n.first, n.size, n.text = 0, 0, [inline]byte{}
}
