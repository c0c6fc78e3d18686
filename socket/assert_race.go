//go:build race

package socket

// asserting turns on checks of invariants that cost too much, or help too little, in a program that runs. Builds with
// the race detector have them.
const asserting = true
