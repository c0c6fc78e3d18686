package static

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"
)

const (
	// maxFile is the size of the largest file that is read.
	maxFile = 4 << 20
	// settle is how long a file must have stayed the same before it counts.
	settle = 100 * time.Millisecond
	// racy is how old a file must be for its time and size to prove that it has not changed: a second write may fall
	// into the same tick of the file system's clock.
	racy = 2 * time.Second
)

// follow reads the file now and starts to follow it. What it says at first counts at once: nobody has anything to lose.
func (s *session) follow(path string, interval time.Duration) {
	f := &follower{session: s, path: path, interval: interval}
	f.look(true)
	s.table.Sync()
	ctx, stop := context.WithCancel(context.Background())
	s.stop, s.done = stop, make(chan struct{})
	go func() {
		defer close(s.done)
		f.run(ctx)
	}()
}

// A follower knows what a file said last.
type follower struct {
	session  *session
	path     string
	interval time.Duration

	info     fs.FileInfo // of what was read last
	readAt   time.Time
	read     sum // of what was read last
	since    time.Time
	applied  sum // of what counts, or was refused
	any      bool
	troubled string // the last trouble told
}

type sum [sha256.Size]byte

func (f *follower) run(ctx context.Context) {
	timer := time.NewTimer(f.interval)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		timer.Reset(f.look(false))
	}
}

// look compares the file with what it said last, and returns when to look again. At first there is no waiting until the
// file has settled.
func (f *follower) look(first bool) time.Duration {
	text, changed, err := f.load()
	if err != nil {
		f.trouble(err)
		return f.interval
	}
	now := time.Now()
	if changed {
		f.since = now
	}
	if f.read == f.applied && f.any {
		f.troubleOver()
		return f.interval
	}
	quiet := min(settle, f.interval)
	l, err := parse(f.path, text)
	if err == nil && len(l.order) == 0 && len(f.session.known) > 0 {
		quiet = max(settle, f.interval) // more likely about to be written than meant to be empty
	}
	if wait := quiet - now.Sub(f.since); !first && wait > 0 {
		return wait
	}
	f.applied, f.any = f.read, true
	if err != nil {
		f.trouble(err)
		return f.interval
	}
	f.troubleOver()
	f.session.apply(l)
	return f.interval
}

// load returns what the file says, and whether that is something else than the last time. While time and size prove
// that nothing has changed, and all that was read counts, it reads nothing.
func (f *follower) load() (text string, changed bool, err error) {
	info, err := os.Stat(f.path)
	if err != nil {
		return "", false, err
	}
	if f.info != nil && f.any && f.read == f.applied && os.SameFile(info, f.info) && info.Size() == f.info.Size() &&
		info.ModTime().Equal(f.info.ModTime()) && f.readAt.Sub(info.ModTime()) > racy {
		return "", false, nil
	}
	readAt := time.Now()
	file, info, err := openRegular(f.path)
	if err != nil {
		return "", false, err
	}
	defer file.Close() //nolint:errcheck // only read
	b, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return "", false, err
	}
	if len(b) > maxFile {
		return "", false, &fs.PathError{Op: "read", Path: f.path, Err: errors.New("larger than 4 MiB")}
	}
	is := sum(sha256.Sum256(b))
	changed = is != f.read || f.info == nil
	f.info, f.readAt, f.read = info, readAt, is
	return string(b), changed, nil
}

// openRegular opens a regular file and nothing else. What is at a path may be another thing from one moment to the
// next: so it is judged once it is open, and not waited for, as a named pipe would have us wait for a writer.
func openRegular(path string) (*os.File, fs.FileInfo, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "read", Path: path, Err: errors.New("not a regular file")}
	}
	if err != nil {
		_ = file.Close()
		return nil, nil, err
	}
	return file, info, nil
}

// trouble tells what is wrong, once.
func (f *follower) trouble(err error) {
	if text := err.Error(); text != f.troubled {
		f.troubled = text
		f.session.table.Trouble(err)
	}
}

// troubleOver forgets a trouble with reading, so that the next one is told. One with what the file says stays known as
// long as it says that: see applied.
func (f *follower) troubleOver() { f.troubled = "" }
