package sockettest_test

import (
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket/sockettest"
)

// TestGoZeromq holds our sockets against those of go-zeromq, each side in turn as the local one, and those of go-zeromq
// against each other: the control that shows that the suite finds what is known to be wrong.
func TestGoZeromq(t *testing.T) {
	kernel := map[sockettest.Capability]string{sockettest.ExactQueues: "the kernel has buffers"}
	t.Run("yodel-tcp", func(t *testing.T) {
		t.Parallel()
		sockettest.Run(t, sockettest.Factory{
			Local: sockettest.Yodel(), Remote: goZeromq, Endpoint: tcp, Dial: dial, Lacks: kernel,
		})
	})
	t.Run("go-zeromq-tcp", func(t *testing.T) {
		t.Parallel()
		sockettest.Run(t, sockettest.Factory{
			Local: goZeromq, Remote: sockettest.Yodel(), Endpoint: tcp, Dial: dial, Lacks: kernel,
			Patience: 10 * time.Second,
		})
	})
	t.Run("control-tcp", func(t *testing.T) {
		t.Parallel()
		sockettest.Run(t, sockettest.Factory{
			Local: goZeromq, Remote: goZeromq, Endpoint: tcp, Dial: dial, Lacks: kernel,
			Patience: 10 * time.Second,
		})
	})
}
