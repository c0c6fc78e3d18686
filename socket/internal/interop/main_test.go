//go:build unix

package interop

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/yodel-mq/yodel/socket/internal/pyzmq"
)

func TestMain(m *testing.M) {
	flag.Parse()
	// Tests that run in parallel here watch connections for seconds in which nothing happens. They wait, not compute,
	// so that there may be more of them at a time than processors.
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		_ = f.Value.Set("100")
	}
	goleak.VerifyTestMain(counted{m}, goZeroMQ...)
}

// goZeroMQ are goroutines of go-zeromq that nothing ends: each of its PUB sockets keeps one, and a closed socket with
// unread messages its readers.
var goZeroMQ = []goleak.Option{
	goleak.IgnoreAnyFunction("github.com/go-zeromq/zmq4.(*pubMWriter).run"),
	goleak.IgnoreAnyFunction("github.com/go-zeromq/zmq4.(*qreader).listen"),
	goleak.IgnoreAnyFunction("github.com/go-zeromq/zmq4.(*pubQReader).listen"),
	goleak.IgnoreAnyFunction("github.com/go-zeromq/zmq4.(*repReader).listen"),
	goleak.IgnoreAnyFunction("github.com/go-zeromq/zmq4.(*routerQReader).listen"),
}

// counted runs the tests beside the process that they share, and fails when a process is left.
type counted struct{ m *testing.M }

func (c counted) Run() int {
	go thisProcess.run()
	code := c.m.Run()
	close(thisProcess.stop)
	<-thisProcess.done
	pyzmq.StopShared()
	stopJeroMQ()
	if n := pyzmq.Running(); n != 0 {
		fmt.Fprintf(os.Stderr, "%d peers were not stopped\n", n)
		code = 1
	}
	return code
}
