package cli

import (
	"io"
	"os"
)

// WatchReader calls gone, once, when nobody can read any more what is written to w, also while nothing is written. It
// knows pipes and sockets, on Linux and macOS; anywhere else it does nothing, and the next write tells. stop ends the
// watch, and waits for a call under way.
func WatchReader(w io.Writer, gone func()) (stop func()) {
	f, ok := w.(*os.File)
	if !ok {
		return func() {}
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&(os.ModeNamedPipe|os.ModeSocket) == 0 {
		return func() {}
	}
	return watchReader(f, gone)
}
