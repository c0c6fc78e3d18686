package main

import "encoding/json"

// A run is numbers that came one after the other, each Step after the one before: three words for what may be
// thousands of messages.
type run struct{ First, Last, Step uint64 }

// MarshalJSON implements json.Marshaler.
func (r run) MarshalJSON() ([]byte, error) { return json.Marshal([3]uint64{r.First, r.Last, r.Step}) }

// UnmarshalJSON implements json.Unmarshaler.
func (r *run) UnmarshalJSON(b []byte) error {
	var v [3]uint64
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	*r = run{v[0], v[1], v[2]}
	return nil
}

// each calls f with the numbers, in order.
func (r run) each(f func(n uint64)) {
	for n := r.First; ; n += r.Step {
		f(n)
		if n == r.Last || r.Step == 0 {
			return
		}
	}
}

// runs are numbers in the order they came.
type runs []run

// add appends a number.
func (rs *runs) add(n uint64) {
	if len(*rs) > 0 {
		last := &(*rs)[len(*rs)-1]
		switch {
		case last.Step == 0 && n > last.First:
			last.Last, last.Step = n, n-last.First
			return
		case last.Step > 0 && n == last.Last+last.Step:
			last.Last = n
			return
		}
	}
	*rs = append(*rs, run{First: n, Last: n})
}

// each calls f with all numbers, in the order they came.
func (rs runs) each(f func(n uint64)) {
	for _, r := range rs {
		r.each(f)
	}
}

// count is how many numbers there are.
func (rs runs) count() (n uint64) {
	for _, r := range rs {
		n++
		if r.Step > 0 {
			n += (r.Last - r.First) / r.Step
		}
	}
	return n
}
