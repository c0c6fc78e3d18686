//go:build !race

package socket

const asserting = false
