package auth

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"
)

// maxFile is the most bytes that a file may have.
const maxFile = 64 << 20

// A list is what stands in a file, and whose live connections rest on it. Its methods may be called by any number of
// goroutines.
type list[K, V comparable] struct {
	path   string
	secret bool // others must not read it
	parse  func(text string) (map[K]V, error)
	cfg    fileConfig
	stop   func()
	ended  chan struct{} // closed when the goroutine has

	reading sync.Mutex // held while the file is read, so that an older state never follows on a newer one
	seen    stamp
	text    []byte

	mu      sync.Mutex
	entries map[K]V
	failed  error
	held    map[*holding[K, V]]struct{}
}

// A holding is a live connection that was let in for one entry.
type holding[K, V comparable] struct {
	key    K
	value  V
	revoke func(error)
}

// A stamp is by what a file is known to be the same as before without reading it.
type stamp struct {
	info fs.FileInfo
	at   time.Time // when it was read
}

// settled is for how long a file may go on changing without its time of change telling, for clocks of file systems are
// coarse.
const settled = 3 * time.Second

// open reads the file for the first time.
func (l *list[K, V]) open(opts []FileOption) error {
	l.cfg = configure(opts)
	l.held = make(map[*holding[K, V]]struct{})
	if err := l.reload(); err != nil {
		return err
	}
	stop := make(chan struct{})
	l.stop = sync.OnceFunc(func() { close(stop) })
	l.ended = make(chan struct{})
	if l.cfg.interval < 0 {
		close(l.ended)
		return nil
	}
	go func() {
		defer close(l.ended)
		tick := time.NewTicker(l.cfg.interval)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				l.look()
			case <-stop:
				return
			}
		}
	}()
	return nil
}

// close ends the goroutine. What was read last counts on.
func (l *list[K, V]) close() {
	l.stop()
	<-l.ended
}

// look reads the file again if it may have changed.
func (l *list[K, V]) look() {
	before := l.err()
	if l.unchanged() {
		return
	}
	err := l.reload()
	if err != nil && (before == nil || before.Error() != err.Error()) && l.cfg.errors != nil {
		l.cfg.errors(err)
	}
}

// unchanged reports whether the file is certainly as it was read last.
func (l *list[K, V]) unchanged() bool {
	info, err := os.Stat(l.path)
	l.reading.Lock()
	defer l.reading.Unlock()
	old := l.seen
	return err == nil && old.info != nil && os.SameFile(info, old.info) && info.Size() == old.info.Size() &&
		info.Mode() == old.info.Mode() && info.ModTime().Equal(old.info.ModTime()) &&
		old.at.Sub(info.ModTime()) > settled
}

// reload reads the file, and ends what rests on entries that are not there any more.
func (l *list[K, V]) reload() error {
	l.reading.Lock()
	defer l.reading.Unlock()
	text, info, err := l.read()
	if err != nil {
		l.seen = stamp{}
		return l.note(err)
	}
	l.seen = stamp{info, time.Now()}
	if l.err() == nil && l.text != nil && bytes.Equal(text, l.text) {
		return nil
	}
	entries, err := l.parse(string(text))
	if err != nil {
		l.text = nil
		return l.note(fmt.Errorf("auth: %s: %w", l.path, err))
	}
	l.text = text
	for _, h := range l.replace(entries) {
		h.revoke(ErrUnknown)
	}
	return nil
}

// note keeps an error until the file is right again.
func (l *list[K, V]) note(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed = err
	return err
}

func (l *list[K, V]) err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed
}

func (l *list[K, V]) read() ([]byte, fs.FileInfo, error) {
	f, err := os.Open(l.path)
	if err != nil {
		return nil, nil, fmt.Errorf("auth: %w", err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat() // of what was opened: the name may come to stand for another file
	if err != nil {
		return nil, nil, fmt.Errorf("auth: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("auth: %s: %w: not a regular file", l.path, ErrFile)
	}
	if err := exposed(info, l.secret); err != nil {
		return nil, nil, fmt.Errorf("auth: %s: %w", l.path, err)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("%s: %w: more than %d bytes", l.path, ErrFile, maxFile)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("auth: %w", err)
	}
	return text, info, nil
}

// replace takes new entries over and returns the connections that do not rest on any of them.
func (l *list[K, V]) replace(entries map[K]V) (gone []*holding[K, V]) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries, l.failed = entries, nil
	for h := range l.held {
		if !l.has(h.key, h.value) {
			delete(l.held, h)
			gone = append(gone, h)
		}
	}
	return gone
}

// has reports whether an entry is there. mu is held.
func (l *list[K, V]) has(key K, value V) bool {
	now, ok := l.entries[key]
	return ok && now == value
}

// find returns an entry.
func (l *list[K, V]) find(key K) (value V, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	value, ok = l.entries[key]
	return value, ok
}

// hold is [socket.User].OnRevoke of a peer that is let in for an entry.
func (l *list[K, V]) hold(key K, value V) func(revoke func(error)) (stop func()) {
	return func(revoke func(error)) func() {
		h := &holding[K, V]{key, value, revoke}
		l.mu.Lock()
		ok := l.has(key, value)
		if ok {
			l.held[h] = struct{}{}
		}
		l.mu.Unlock()
		if !ok { // it was removed during the handshake
			revoke(ErrUnknown)
			return nil
		}
		return func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			delete(l.held, h)
		}
	}
}

var errDouble = errors.New("stands there twice")

// badLine is the error of a line, counted from 1, that is not as it should be.
func badLine(n int, err error) error { return fmt.Errorf("%w: line %d: %w", ErrFile, n, err) }
