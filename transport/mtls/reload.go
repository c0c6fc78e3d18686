package mtls

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"
)

// A reloaded is a value made of files, and made anew when they have changed: whoever needs it looks, so that nothing
// runs meanwhile. While the files are of no use, as half way through a renewal, the last good value stands.
type reloaded[T any] struct {
	paths []string
	parse func(contents [][]byte) (T, error)

	mu     sync.Mutex
	seen   []fs.FileInfo // of the files that value was made of
	read   time.Time     // when
	loaded bool
	value  T
}

// maxFile is the most bytes that are read of a file.
const maxFile = 16 << 20

// settling is how old a file has to be for its time and its size to tell that it has not changed: one that is written
// twice at once may have the same.
const settling = 2 * time.Second

// get returns the value and, along with an old one, why there is no new one. Without any the error alone counts.
func (r *reloaded[T]) get() (value T, stale, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	infos, err := r.look()
	if err == nil && r.loaded && r.same(infos) {
		return r.value, nil, nil
	}
	var fresh T
	if err == nil {
		fresh, err = r.load()
	}
	switch {
	case err == nil:
		r.value, r.seen, r.read, r.loaded = fresh, infos, now, true
		return fresh, nil, nil
	case r.loaded:
		return r.value, err, nil
	}
	return value, nil, fmt.Errorf("%w: %w", ErrConfig, err)
}

// look asks the file system for what it knows of the files. It comes before they are read: what changes in between is
// found out the next time.
func (r *reloaded[T]) look() ([]fs.FileInfo, error) {
	infos := make([]fs.FileInfo, 0, len(r.paths))
	for _, path := range r.paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		infos = append(infos, info)
	}
	return infos, nil
}

func (r *reloaded[T]) same(infos []fs.FileInfo) bool {
	for i, info := range infos {
		was := r.seen[i]
		if !os.SameFile(was, info) || was.Size() != info.Size() || !was.ModTime().Equal(info.ModTime()) ||
			r.read.Sub(info.ModTime()) < settling {
			return false
		}
	}
	return true
}

func (r *reloaded[T]) load() (value T, err error) {
	contents := make([][]byte, 0, len(r.paths))
	defer func() {
		for _, b := range contents {
			clear(b) // there may be a private key in it
		}
	}()
	for _, path := range r.paths {
		b, err := readFile(path)
		if err != nil {
			return value, err
		}
		contents = append(contents, b)
	}
	value, err = r.parse(contents)
	if err != nil {
		return value, fmt.Errorf("%s: %w", r.paths[0], err)
	}
	return value, nil
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = fmt.Errorf("%s: more than %d bytes", path, maxFile)
	}
	return b, err
}
