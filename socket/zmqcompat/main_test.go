package zmqcompat_test

import (
	"io"
	"log"
	"testing"

	"go.uber.org/goleak"
)

// TestMain fails the run when a goroutine outlives the tests, but for one that each of go-zeromq's PUB sockets keeps
// for good.
func TestMain(m *testing.M) {
	log.SetOutput(io.Discard) // where go-zeromq's proxy writes what it could not forward as the sockets closed
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/go-zeromq/zmq4.(*pubMWriter).run"))
}
