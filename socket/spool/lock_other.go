//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd || windows)

package spool

import (
	"errors"
	"fmt"
	"os"
)

// tryLock: without a lock that goes with its process, two of them could write to one spool.
func tryLock(*os.File) error { return fmt.Errorf("file locks: %w", errors.ErrUnsupported) }

func isLocked(*os.File) bool { return false }
