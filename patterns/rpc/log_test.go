package rpc_test

import (
	"bytes"
	"log/slog"
	"sync"
)

// A log keeps what is written to its Logger.
type log struct {
	*slog.Logger
	mu sync.Mutex
	b  bytes.Buffer
}

func newLog() *log {
	l := new(log)
	l.Logger = slog.New(slog.NewTextHandler(l, nil))
	return l
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
