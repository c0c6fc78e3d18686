package memfs_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/yodel-mq/yodel/socket/spool/internal/memfs"
)

// A model of one file that knows nothing of how the medium works: for each sector the contents that a power cut may
// leave, by the contract of spool.File.
type model struct {
	sees  []byte            // what reads must show
	legal []map[string]bool // what a power cut may leave
	dirty map[int]bool      // written since the last sync that was tried
}

const modelSectors = 12

func newModel() *model {
	m := &model{dirty: make(map[int]bool)}
	m.restart(make([]byte, modelSectors*sector))
	return m
}

// restart begins a life with what a power cut has left.
func (m *model) restart(p []byte) {
	m.sees = bytes.Clone(p)
	m.legal = make([]map[string]bool, modelSectors)
	for i := range m.legal {
		m.legal[i] = map[string]bool{m.sector(i): true}
	}
	clear(m.dirty)
}

func (m *model) sector(i int) string { return string(m.sees[i*sector : (i+1)*sector]) }

func (m *model) write(p []byte, off int) {
	copy(m.sees[off:], p)
	for i := off / sector; i*sector < off+len(p); i++ {
		m.legal[i][m.sector(i)] = true
		m.dirty[i] = true
	}
}

// synced is a sync that returned nil: what was written since the last one is there, and nothing else.
func (m *model) synced() {
	for i := range m.dirty {
		m.legal[i] = map[string]bool{m.sector(i): true}
	}
	clear(m.dirty)
}

// failed is a sync that did not: all that was legal stays so, and reads may show the medium.
func (m *model) failed(reads []byte) {
	m.sees = bytes.Clone(reads)
	clear(m.dirty)
}

// TestAgainstTheContract runs random lives on a medium and on the model.
func TestAgainstTheContract(t *testing.T) {
	cuts := 0
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 0))
		m := memfs.New(memfs.Config{Seed: seed})
		f := synced(t, m, "a", make([]byte, modelSectors*sector))
		ref := newModel()
		check := func(what string, p []byte) {
			t.Helper()
			for i, legal := range ref.legal {
				if !legal[string(p[i*sector:(i+1)*sector])] {
					t.Fatalf("seed %d, %s: sector %d holds what no power cut may leave", seed, what, i)
				}
			}
		}
		for range 200 {
			switch r.IntN(10) {
			case 0:
				must(t, f.Sync())
				ref.synced()
			case 1:
				m.Fail(memfs.Fault{On: memfs.Sync, Nth: 1})
				if f.Sync() == nil {
					t.Fatal("the sync did not fail")
				}
				check("a failed sync", content(t, m, "a"))
				ref.failed(content(t, m, "a"))
			case 2:
				p := memfs.Policies[r.IntN(len(memfs.Policies))]
				for _, p := range memfs.Policies[1:] {
					check(p.String(), content(t, m.Cut(p, r.Uint64()), "a"))
					cuts++
				}
				m = m.Cut(p, r.Uint64())
				var err error
				f, err = m.Open("a")
				must(t, err)
				if p != memfs.Kill {
					ref.restart(content(t, m, "a"))
				}
			default:
				p := make([]byte, 1+r.IntN(3*sector))
				for i := range p {
					p[i] = byte(r.IntN(256))
				}
				off := r.IntN(modelSectors*sector - len(p))
				half := r.IntN(len(p))
				must(t, f.WriteVec([][]byte{p[:half], nil, p[half:]}, int64(off)))
				ref.write(p, off)
			}
			if got := content(t, m, "a"); !bytes.Equal(got, ref.sees) {
				t.Fatalf("seed %d: reads show something else than was written", seed)
			}
		}
	}
	if cuts < 1000 {
		t.Errorf("only %d cuts", cuts)
	}
}
