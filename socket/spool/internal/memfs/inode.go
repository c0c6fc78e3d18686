package memfs

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"slices"
)

const (
	sector = 512
	page   = 8 // sectors that the kernel writes together
)

// A block is the content of a sector at one time. It never changes, so that images share them.
type block = [sector]byte

// zeros is what most blocks are: allocated ahead and not yet written.
var zeros block

// An inode is a file, whatever it is called.
type inode struct {
	size   int64   // as the process sees it
	onDisk int64   // as the medium has it
	sizes  []int64 // since then, in order

	cache  []*block           // what the process sees; nil, or beyond the end: zeros
	medium []*block           // what the medium has; nil, or beyond the end: never written
	dirty  map[int64][]*block // sectors written since the last sync: every version, in order
	have   []bool             // sectors that the file takes from the medium's capacity

	unlinked bool // it has no name that the process sees
	handles  int
}

func at(blocks []*block, i int64) *block {
	if i < int64(len(blocks)) {
		return blocks[i]
	}
	return nil
}

func set(blocks *[]*block, i int64, b *block) {
	if n := i + 1 - int64(len(*blocks)); n > 0 {
		*blocks = append(*blocks, make([]*block, n)...)
	}
	(*blocks)[i] = b
}

func sectors(n int64) int64 { return (n + sector - 1) / sector }

// read copies what the process sees, up to the end of the file.
func (in *inode) read(p []byte, off int64) int {
	total := int(max(min(int64(len(p)), in.size-off), 0))
	for done := 0; done < total; {
		i, from := (off+int64(done))/sector, (off+int64(done))%sector
		b := at(in.cache, i)
		if b == nil {
			b = &zeros
		}
		done += copy(p[done:total], b[from:])
	}
	return total
}

// write makes a new version of every sector that p touches.
func (in *inode) write(p []byte, off int64) {
	if end := off + int64(len(p)); len(p) > 0 && end > in.size {
		in.resize(end)
	}
	for len(p) > 0 {
		i, from := off/sector, off%sector
		n := min(int64(len(p)), sector-from)
		old := at(in.cache, i)
		if old == nil {
			old = &zeros
		}
		b := *old
		copy(b[from:], p[:n])
		in.put(i, &b)
		p, off = p[n:], off+n
	}
}

// put gives a sector a new content in the cache, which is not on the medium yet.
func (in *inode) put(i int64, b *block) {
	if bytes.Equal(b[:], zeros[:]) {
		b = &zeros
	}
	set(&in.cache, i, b)
	in.dirty[i] = append(in.dirty[i], b)
}

func (in *inode) resize(n int64) {
	in.size = n
	in.sizes = append(in.sizes, n)
}

// truncate sets the size, and returns the number of sectors that are given back.
func (in *inode) truncate(n int64) (freed int64) {
	if n < in.size {
		if rest := n % sector; rest != 0 && at(in.cache, n/sector) != nil {
			b := *in.cache[n/sector]
			clear(b[rest:])
			in.put(n/sector, &b)
		}
		for i := sectors(n); i < int64(len(in.cache)); i++ {
			if in.cache[i] != nil {
				in.put(i, &zeros)
			}
		}
		for i := sectors(n); i < int64(len(in.have)); i++ {
			if in.have[i] {
				freed++
			}
		}
		in.have = in.have[:min(sectors(n), int64(len(in.have)))]
	}
	in.resize(n)
	return freed
}

// sync moves everything to the medium. A page is written whole: after it, each of its sectors has been written.
func (in *inode) sync() {
	for i, versions := range in.dirty {
		set(&in.medium, i, versions[len(versions)-1])
	}
	for i := range in.dirty {
		for j := i / page * page; j < (i/page+1)*page; j++ {
			if at(in.medium, j) == nil && at(in.cache, j) == nil {
				set(&in.medium, j, &zeros)
			}
		}
	}
	clear(in.dirty)
	in.onDisk, in.sizes = in.size, nil
	in.cut()
}

// cut forgets what the medium has beyond the end of the file there.
func (in *inode) cut() {
	if n := sectors(in.onDisk); n < int64(len(in.medium)) {
		clear(in.medium[n:])
		in.medium = in.medium[:n]
	}
}

// syncPart is a sync that fails: some sectors get to the medium, perhaps the size, and all are clean afterwards. The
// cache keeps what was lost or drops it, as file systems differ.
func (in *inode) syncPart(chance *rand.Rand) {
	drop := chance.IntN(2) == 0
	for _, i := range slices.Sorted(maps.Keys(in.dirty)) {
		versions := in.dirty[i]
		if chance.IntN(2) == 0 {
			set(&in.medium, i, versions[len(versions)-1])
		} else if drop {
			set(&in.cache, i, at(in.medium, i))
		}
	}
	clear(in.dirty)
	if chance.IntN(2) == 0 {
		in.onDisk, in.sizes = in.size, nil
		in.cut()
	}
}

// lacks returns how many sectors of off to off+n the file does not have yet; take takes them, and returns how many.
func (in *inode) lacks(off, n int64) (count int64) {
	for i := off / sector; i < sectors(off+n); i++ {
		if i >= int64(len(in.have)) || !in.have[i] {
			count++
		}
	}
	return count
}

func (in *inode) take(off, n int64) (count int64) {
	if n == 0 {
		return 0
	}
	if more := sectors(off+n) - int64(len(in.have)); more > 0 {
		in.have = append(in.have, make([]bool, more)...)
	}
	for i := off / sector; i < sectors(off+n); i++ {
		if !in.have[i] {
			in.have[i] = true
			count++
		}
	}
	return count
}

// taken is how many sectors the file has.
func (in *inode) taken() (count int64) {
	for _, h := range in.have {
		if h {
			count++
		}
	}
	return count
}
