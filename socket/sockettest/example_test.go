package sockettest_test

import (
	"fmt"
	"testing"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/sockettest"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// Link and Balanced take the setting up and the book-keeping out of a test.
func ExampleLink() {
	test := func(t *testing.T) {
		push, pull := socket.NewPush(), socket.NewPull()
		sockettest.Link(t, pull, push, "inproc://example-link")

		if err := push.Send(t.Context(), socket.Text("hello")); err != nil {
			t.Fatal(err)
		}
		if m, err := pull.Recv(t.Context()); err != nil || m.String() != `["hello"]` {
			t.Fatal(m, err)
		}
		sockettest.Balanced(t, push, pull) // and once more when the test ends
	}
	_ = test
}

// A Checker finds what a stream has lost, doubled or mixed up.
func ExampleChecker() {
	var c sockettest.Checker
	var stamps []string
	for range 4 {
		stamps = append(stamps, c.Stamp("w1")) // send it in a frame of the message
	}
	for _, i := range []int{0, 2, 1, 2} {
		c.See("a", stamps[i]) // as it is received
	}
	fmt.Println(c.Check())
	// Output:
	// sockettest: 4 messages sent, 4 received: missing w1#4; doubled w1#3 (2 times, by a, a); out of order w1#2 after w1#3
}

// Run the suite over a transport of your own.
func ExampleRun() {
	test := func(t *testing.T) {
		side := sockettest.Yodel() // with socket.WithTransport(yours)
		sockettest.Run(t, sockettest.Factory{
			Local:    side,
			Remote:   side,
			Endpoint: func(t testing.TB) string { return "inproc://" + t.Name() },
		})
	}
	_ = test
}

func ExampleYodel() {
	side := sockettest.Yodel(socket.WithSendHWM(10))
	fmt.Println(side.Name)
	// Output: yodel
}

// Sockets that show who they are when they connect: who binds is the server of PLAIN.
func ExampleYodelWith() {
	connect := []socket.EndpointOption{socket.SecuredBy(zmtp.PlainClient("ann", "secret"))}
	side := sockettest.YodelWith(connect, socket.WithSecurity(zmtp.PlainServer()))
	fmt.Println(side.Name)
	// Output: yodel
}
