package main

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/yodel-mq/yodel/socket/spool"
)

// A slowFS is a directory whose syncs take longer: a disk of another kind.
type slowFS struct {
	dir  string
	wait time.Duration
}

func newSlowFS(dir string, wait time.Duration) (*slowFS, error) {
	return &slowFS{dir, wait}, os.MkdirAll(dir, 0o700)
}

func (s *slowFS) open(name string, flag int) (spool.File, error) {
	f, err := os.OpenFile(filepath.Join(s.dir, name), os.O_RDWR|flag, 0o600)
	if err != nil {
		return nil, err
	}
	return &slowFile{f, s.wait}, nil
}

func (s *slowFS) Create(name string) (spool.File, error) { return s.open(name, os.O_CREATE|os.O_EXCL) }
func (s *slowFS) Open(name string) (spool.File, error)   { return s.open(name, 0) }
func (s *slowFS) Remove(name string) error               { return os.Remove(filepath.Join(s.dir, name)) }
func (s *slowFS) Rename(from, to string) error {
	return os.Rename(filepath.Join(s.dir, from), filepath.Join(s.dir, to))
}

func (s *slowFS) List() ([]string, error) {
	all, err := os.ReadDir(s.dir)
	var names []string
	for _, e := range all {
		names = append(names, e.Name())
	}
	slices.Sort(names)
	return names, err
}

func (s *slowFS) SyncDir() error {
	d, err := os.Open(s.dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// Lock is nobody's business here.
func (s *slowFS) Lock() (io.Closer, error) { return io.NopCloser(nil), nil }

type slowFile struct {
	*os.File
	wait time.Duration
}

func (f *slowFile) WriteVec(b [][]byte, off int64) error { return writeVec(f.File, b, off) }
func (f *slowFile) Allocate(n int64) error               { return allocate(f.File, n) }

func (f *slowFile) Sync() error {
	time.Sleep(f.wait)
	return syncData(f.File)
}

func (f *slowFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// writeVec writes the parts as one.
func writeVec(f *os.File, b [][]byte, off int64) error {
	_, err := f.WriteAt(slices.Concat(b...), off)
	return err
}
