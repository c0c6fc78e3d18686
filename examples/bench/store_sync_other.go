//go:build !linux

package main

import "os"

func syncData(f *os.File) error { return f.Sync() }

func allocate(f *os.File, n int64) error { return f.Truncate(n) }
