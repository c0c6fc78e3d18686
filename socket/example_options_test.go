package socket_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport"
)

// A subscriber that comes late still gets the last message of each topic.
func ExampleWithLastValue() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	pub := socket.NewPub(socket.WithLastValue(1_000)) // topics
	defer pub.Close()
	pub.Bind(ctx, "inproc://last-value")
	for _, price := range []string{"101", "102", "103"} {
		pub.Send(ctx, socket.Text("acme", price))
	}

	sub := socket.NewSub(socket.WithSubscription("acme"))
	defer sub.Close()
	sub.Connect("inproc://last-value")
	m, err := sub.Recv(ctx)
	fmt.Println(m, err)
	// Output: ["acme" "103"] <nil>
}

// Instead of waiting for room, Send can say that there is none.
func ExampleWithOverflow() {
	ctx := context.Background()
	push := socket.NewPush(socket.WithSendHWM(2), socket.WithOverflow(socket.Reject))
	defer push.Close()
	push.Connect("inproc://overflow") // nobody is there yet: two messages may wait

	for _, job := range []string{"one", "two", "three"} {
		err := push.Send(ctx, socket.Text(job))
		fmt.Println(job, errors.Is(err, socket.ErrWouldBlock))
	}
	// Output:
	// one false
	// two false
	// three true
}

// The application decides what a peer gets: here everything, whatever it asks for.
func ExampleWithManual() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	xpub := socket.NewXPub(socket.WithManual())
	defer xpub.Close()
	xpub.Bind(ctx, "inproc://manual")
	sub := socket.NewSub(socket.WithSubscription("public/"))
	defer sub.Close()
	sub.Connect("inproc://manual")

	m, _ := xpub.Recv(ctx)
	if asked, ok := socket.ParseSubscription(m); ok && asked.Add {
		fmt.Printf("%s asks for %q\n", asked.Peer.Type, asked.Topic)
		xpub.Subscribe(asked.Peer, "")
	}
	xpub.Send(ctx, socket.Text("public/news", "hello"))
	m, err := sub.Recv(ctx)
	fmt.Println(m, err)
	// Output:
	// SUB asks for "public/"
	// ["public/news" "hello"] <nil>
}

// A transport with settings of its own takes the place of the default one.
func ExampleWithTransport() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	tcp := &transport.TCP{SendBuffer: 1 << 20, RecvBuffer: 1 << 20} // bytes in the kernel
	pull := socket.NewPull(socket.WithTransport(tcp))
	defer pull.Close()
	endpoint, _ := pull.Bind(ctx, "tcp://127.0.0.1:*")
	push := socket.NewPush(socket.WithTransport(tcp))
	defer push.Close()
	push.Connect(endpoint)

	push.Send(ctx, socket.Text("hello"))
	m, err := pull.Recv(ctx)
	fmt.Println(m, err)
	// Output: ["hello"] <nil>
}

// A peer tells which process it lives in; here it is this one.
func ExampleThisNode() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	pull := socket.NewPull()
	defer pull.Close()
	endpoint, _ := pull.Bind(ctx, "tcp://127.0.0.1:*")
	push := socket.NewPush()
	defer push.Close()
	push.Connect(endpoint)

	push.Send(ctx, socket.Text("hello"))
	m, err := pull.Recv(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(m.From.Node == socket.ThisNode())
	// Output: true
}

// The reply to a request may never come: the error says whose it would have been.
func ExampleReq_Recv() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	rep := socket.NewRep()
	rep.Bind(ctx, "inproc://lost")
	req := socket.NewReq()
	defer req.Close()
	req.Connect("inproc://lost")
	req.Send(ctx, socket.Text("hello"))

	rep.Recv(ctx)
	rep.Close() // without a reply
	_, err := req.Recv(ctx)
	if lost, ok := errors.AsType[*socket.PeerError](err); ok && errors.Is(err, socket.ErrPeerLost) {
		fmt.Println("no reply from", lost.Peer.Type, "at", lost.Endpoint)
	}
	// Output: no reply from REP at inproc://lost
}
