//go:build !linux

package main

// small is the size that spools are held to that are to run full.
const small = 6 << 20

func inNamespace() (status int, done bool) { return 0, false }

func makeSmall(string) (capacity int64, unmount func(), err error) { return small, func() {}, nil }
