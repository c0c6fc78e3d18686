//go:build !unix || dragonfly || openbsd

package transport

import "syscall"

// dualStack: no socket here is for both families, or package net finds out rightly that one can be.
var dualStack func(_, _ string, c syscall.RawConn) error
