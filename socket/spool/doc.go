// Package spool keeps messages on disk until they are settled: a segment log that survives a process that is killed, a
// machine that loses power, a disk that fails and a disk that is full.
//
// Everything is written through an [FS], which says what a write, a sync and a name on disk are worth; the default is
// the operating system. Start reading at fs.go.
package spool
