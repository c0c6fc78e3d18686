package cli

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// watch watches w and returns a channel that is closed when its reader has gone.
func watch(t *testing.T, w io.Writer) (gone chan struct{}, stop func()) {
	t.Helper()
	gone = make(chan struct{})
	stop = WatchReader(w, func() { close(gone) }) // to close it twice would panic
	t.Cleanup(stop)
	return gone, stop
}

// TestNobodyToWatch: what cannot lose its reader never does, and a watch can be stopped, and stopped again.
func TestNobodyToWatch(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	r, pipe, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer pipe.Close()
	for _, tc := range []struct {
		name string
		w    io.Writer
	}{
		{"no file", new(bytes.Buffer)},
		{"regular file", file},
		{"null device", null},
		{"pipe with a reader", pipe},
	} {
		t.Run(tc.name, func(t *testing.T) {
			gone, stop := watch(t, tc.w)
			if _, err := tc.w.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			stop()
			stop()
			select {
			case <-gone:
				t.Error("its reader is said to have gone")
			default:
			}
		})
	}
}
