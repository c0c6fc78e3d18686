package spool

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

// lockPatience is how long Lock waits for an owner to go: that of a process which has just been killed may need a
// moment, and so may somebody who only asks for the owner.
const lockPatience = 400 * time.Millisecond

// errLocked is what tryLock returns when somebody else has the lock.
var errLocked = errors.New("locked")

// lockDirectory takes the lock at path, and writes into the file who has it. The lock ends with the process, however it
// ends; the file stays.
func lockDirectory(path string, patience time.Duration) (io.Closer, error) {
	f, err := openFile(path, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, noSpace(err)
	}
	if err := waitLock(f, patience); err != nil {
		if errors.Is(err, errLocked) {
			err = inUse(f)
		}
		_ = f.Close()
		return nil, err
	}
	// For the message that others get. On a full disk it may say nothing; the lock holds all the same.
	host, _ := os.Hostname()
	_ = f.Truncate(0)
	host = cmp.Or(strings.Join(strings.Fields(host), "_"), "localhost")
	_, _ = fmt.Fprintf(f, "%d %s %s\n", os.Getpid(), host, time.Now().UTC().Format(time.RFC3339))
	return f, nil
}

// waitLock tries to get the lock until the patience is over.
func waitLock(f *os.File, patience time.Duration) error {
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		if err := tryLock(f); !errors.Is(err, errLocked) {
			return err
		}
		select {
		case <-again.C:
		case <-deadline.C:
			return errLocked
		}
	}
}

// inUse is the error that names the owner.
func inUse(f *os.File) error {
	if pid, host, since, ok := readOwner(f); ok {
		return fmt.Errorf("%w by pid %d on %s since %s", ErrInUse, pid, host, since)
	}
	return ErrInUse // it has not said who it is
}

// readOwner reads who has the lock, or had it last.
func readOwner(f *os.File) (pid int, host, since string, ok bool) {
	b := make([]byte, 512)
	n, _ := f.ReadAt(b, 0)
	fields := strings.Fields(string(b[:n]))
	if len(fields) != 3 {
		return 0, "", "", false
	}
	pid, err := strconv.Atoi(fields[0])
	return pid, fields[1], fields[2], err == nil && pid > 0
}

// lockOwner reports who has the lock at path. For a moment it holds a lock that it shares with others who ask.
func lockOwner(path string) (pid int, host string, ok bool) {
	f, err := openFile(path, os.O_RDONLY)
	if err != nil {
		return 0, "", false
	}
	defer f.Close() //nolint:errcheck // nothing was written
	if !isLocked(f) {
		return 0, "", false
	}
	pid, host, _, ok = readOwner(f)
	return pid, host, ok
}
