package transport_test

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/yodel-mq/yodel/transport"
)

func ExampleParseEndpoint() {
	e, err := transport.ParseEndpoint("TCP://127.0.0.1:5557")
	fmt.Println(e.Scheme, e.Address, err)
	_, err = transport.ParseEndpoint("127.0.0.1:5557")
	fmt.Println(err)
	// Output:
	// tcp 127.0.0.1:5557 <nil>
	// transport: endpoint "127.0.0.1:5557": no scheme; write it as tcp://127.0.0.1:5557
}

func ExampleNewTCP() {
	hello(transport.NewTCP(), "127.0.0.1:0")
	// Output: hello over tcp
}

func ExampleNewIPC() {
	hello(transport.NewIPC(), "*")
	// Output: hello over ipc
}

// hello sends one line from a dialer to a listener.
func hello(t transport.Transport, address string) {
	ctx := context.Background()
	l, err := t.Listen(ctx, address)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer l.Close()
	client, err := t.Dial(ctx, l.Address())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Fprintf(client, "hello over %s\n", t.Scheme())
	client.Close()

	server, err := l.Accept()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	text, _ := io.ReadAll(server)
	fmt.Print(string(text))
}

func ExampleNewInproc() {
	ctx := context.Background()
	t := transport.NewInproc()
	go func() { // either side may come first
		c, err := t.Dial(ctx, "jobs")
		if err != nil {
			return
		}
		c.(transport.Direct).Exchange(ctx, "the dialer's queue")
	}()
	l, err := t.Listen(ctx, "jobs")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer l.Close()
	c, err := l.Accept()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	got, err := c.(transport.Direct).Exchange(ctx, "the listener's queue")
	fmt.Println(got, err)
	// Output: the dialer's queue <nil>
}

func ExampleDefaultInproc() {
	one, other := transport.DefaultInproc(), transport.DefaultInproc()
	fmt.Println(one.Scheme(), one == other)
	// Output: inproc true
}

func ExamplePeerProcess() {
	ctx := context.Background()
	t := transport.NewInproc()
	l, err := t.Listen(ctx, "jobs")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer l.Close()
	conn, err := t.Dial(ctx, "jobs")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	p, ok := transport.PeerProcess(conn)
	fmt.Println(p.PID == os.Getpid(), ok)
	// Output: true true
}
