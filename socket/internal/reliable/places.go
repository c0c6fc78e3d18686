package reliable

import "sort"

// places says which number the message at each position of a link has. As a rule each is the one before plus one, so
// that there is one run for all of them.
type places struct{ runs []run }

// A run is messages whose numbers follow each other, from a position on up to the next run's.
type run struct {
	pos         uint64
	number      uint64
	attempts    uint16 // of the first message
	redelivered bool   // the first message
}

// reset begins with the message at pos.
func (p *places) reset(pos, number uint64) {
	p.runs = append(p.runs[:0], run{pos: pos, number: number})
}

// number is what the message at pos has, or is expected to have.
func (p *places) number(pos uint64) uint64 {
	r := &p.runs[len(p.runs)-1]
	if pos < r.pos {
		r = &p.runs[p.at(pos)]
	}
	return r.number + (pos - r.pos)
}

// at is the run that pos is in.
func (p *places) at(pos uint64) int {
	return max(0, sort.Search(len(p.runs), func(i int) bool { return p.runs[i].pos > pos })-1)
}

// add begins a run, at the end.
func (p *places) add(r run) {
	if n := len(p.runs); n > 0 && p.runs[n-1].pos == r.pos {
		p.runs[n-1] = r
		return
	}
	p.runs = append(p.runs, r)
}

// cut forgets runs that begin at pos or behind it, but for the first.
func (p *places) cut(pos uint64) {
	n := len(p.runs)
	for n > 1 && p.runs[n-1].pos >= pos {
		n--
	}
	p.runs = p.runs[:n]
}

// prune forgets runs that are over below pos.
func (p *places) prune(pos uint64) {
	if len(p.runs) == 1 || p.runs[1].pos > pos {
		return
	}
	i := p.at(pos)
	p.runs = append(p.runs[:0], p.runs[i:]...)
}

// each calls f for the parts of positions from from up to to that lie in one run: with the first position, its number,
// the length, and what is known of the first message if the run begins there.
func (p *places) each(from, to uint64, f func(pos, number, n uint64, first run)) {
	for i := p.at(from); from < to; i++ {
		r := p.runs[i]
		end := to
		if i+1 < len(p.runs) {
			end = min(to, p.runs[i+1].pos)
		}
		number := r.number + (from - r.pos)
		if from != r.pos {
			r.attempts, r.redelivered = 0, false
		}
		f(from, number, end-from, r)
		from = end
	}
}

// find returns the position of the first message with a number that from on satisfies ok.
func (p *places) find(number, end uint64, ok func(pos uint64) bool) (pos uint64, found bool) {
	for i, r := range p.runs {
		last := end
		if i+1 < len(p.runs) {
			last = p.runs[i+1].pos
		}
		if number >= r.number && number-r.number < last-min(r.pos, last) && ok(r.pos+(number-r.number)) {
			return r.pos + (number - r.number), true
		}
	}
	return 0, false
}
