package spool

// Open opens the spool in a directory, and makes one if there is none. It returns within a second if another process
// has it: ErrInUse, which names that process. What the last process left unfinished, whether it was killed or its
// machine lost power, Open brings in order; damage never keeps it from opening, and is told as events and in Stats. It
// needs no room on the disk.
//
// Errors beside: ErrFormat, ErrNotSpool, and what the disk says.
func Open(dir string, opts Options) (*Spool, error) {
	return open(dir, opts, systemEnv())
}
