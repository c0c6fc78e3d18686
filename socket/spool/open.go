package spool

import "fmt"

// Open opens the spool in a directory, and makes one if there is none. It returns within a second if another process
// has it: ErrInUse, which names that process. What the last process left unfinished, whether it was killed or its
// machine lost power, Open brings in order; damage never keeps it from opening, and is told as events and in Stats. It
// needs no room on the disk.
//
// The directory is made if it is missing, for its user alone. One that others may read, or that is on another machine
// (see Options.Network), is refused.
//
// Errors beside: ErrFormat, ErrNotSpool, and what the disk says.
func Open(dir string, opts Options) (*Spool, error) {
	if opts.FS == nil {
		fs, err := openDirectory(dir, opts.Network)
		if err != nil {
			return nil, fmt.Errorf("spool: open %s: %w", dir, err)
		}
		opts.FS = fs
	}
	return open(dir, opts, systemEnv())
}
