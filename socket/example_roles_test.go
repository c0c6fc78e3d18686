package socket_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"time"

	"github.com/yodel-mq/yodel/socket"
)

// A Dealer keeps many requests out at a time. The frame in front of the empty one comes back with the reply.
func ExampleNewDealer() {
	ctx := context.Background()

	rep := socket.NewRep()
	defer rep.Close()
	endpoint, err := rep.Bind(ctx, "tcp://127.0.0.1:*")
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		for m, err := range rep.Messages(ctx) {
			if err != nil {
				return
			}
			_ = rep.Send(ctx, socket.Text("done: "+string(m.Bytes())))
		}
	}()

	dealer := socket.NewDealer()
	defer dealer.Close()
	if err := dealer.Connect(endpoint); err != nil {
		log.Fatal(err)
	}
	for _, job := range []string{"one", "two"} {
		if err := dealer.Send(ctx, socket.Text("id of "+job, "", job)); err != nil {
			log.Fatal(err)
		}
	}
	for range 2 {
		m, err := dealer.Recv(ctx)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(m)
	}
	// Output:
	// ["id of one" "" "done: one"]
	// ["id of two" "" "done: two"]
}

// A Router knows its peers by identity, and says when there is no such peer.
func ExampleNewRouter() {
	ctx := context.Background()

	router := socket.NewRouter()
	defer router.Close()
	endpoint, err := router.Bind(ctx, "tcp://127.0.0.1:*")
	if err != nil {
		log.Fatal(err)
	}

	dealer := socket.NewDealer(socket.WithIdentity("worker 7"))
	defer dealer.Close()
	if err := dealer.Connect(endpoint); err != nil {
		log.Fatal(err)
	}
	if err := dealer.Send(ctx, socket.Text("ready")); err != nil {
		log.Fatal(err)
	}

	m, err := router.Recv(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m)
	if err := router.Send(ctx, socket.Text("worker 7", "a job")); err != nil {
		log.Fatal(err)
	}
	err = router.Send(ctx, socket.Text("worker 8", "a job"))
	fmt.Println(errors.Is(err, socket.ErrUnroutable), err)

	m, err = dealer.Recv(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m)
	// Output:
	// ["worker 7" "ready"]
	// true socket: send: to "worker 8": no peer has this identity
	// ["a job"]
}

// A Router that connects gives its peer a name. ConnectAs is short for this.
func ExampleAs() {
	ctx := context.Background()

	dealer := socket.NewDealer() // has no identity
	defer dealer.Close()
	endpoint, err := dealer.Bind(ctx, "tcp://127.0.0.1:*")
	if err != nil {
		log.Fatal(err)
	}

	router := socket.NewRouter()
	defer router.Close()
	if err := router.ConnectWith(endpoint, socket.As("backend")); err != nil {
		log.Fatal(err)
	}
	if err := router.WaitPeers(ctx, 1); err != nil {
		log.Fatal(err)
	}
	if err := router.Send(ctx, socket.Text("backend", "hello")); err != nil {
		log.Fatal(err)
	}
	m, err := dealer.Recv(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m)
	// Output: ["hello"]
}

func ExampleNewPair() {
	ctx := context.Background()

	a := socket.NewPair()
	defer a.Close()
	endpoint, err := a.Bind(ctx, "inproc://the-two-of-us")
	if err != nil {
		log.Fatal(err)
	}
	b := socket.NewPair()
	defer b.Close()
	if err := b.Connect(endpoint); err != nil {
		log.Fatal(err)
	}

	if err := b.Send(ctx, socket.Text("ping")); err != nil {
		log.Fatal(err)
	}
	m, err := a.Recv(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m)
	if err := a.Send(ctx, socket.Text("pong")); err != nil {
		log.Fatal(err)
	}
	if m, err = b.Recv(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(m)
	// Output:
	// ["ping"]
	// ["pong"]
}

// An XPub tells what its peers subscribe to: here it publishes only what somebody wants.
func ExampleNewXPub() {
	ctx := context.Background()

	xpub := socket.NewXPub()
	defer xpub.Close()
	endpoint, err := xpub.Bind(ctx, "tcp://127.0.0.1:*")
	if err != nil {
		log.Fatal(err)
	}
	sub := socket.NewSub(socket.WithSubscription("weather/oslo"))
	defer sub.Close()
	if err := sub.Connect(endpoint); err != nil {
		log.Fatal(err)
	}

	m, err := xpub.Recv(ctx)
	if err != nil {
		log.Fatal(err)
	}
	if wanted, ok := socket.ParseSubscription(m); ok && wanted.Add {
		if err := xpub.Send(ctx, socket.Text(wanted.Topic, "rain")); err != nil {
			log.Fatal(err)
		}
	}
	if m, err = sub.Recv(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(m)
	// Output: ["weather/oslo" "rain"]
}

// An XSub subscribes by messages and can send others upstream.
func ExampleNewXSub() {
	ctx := context.Background()

	xpub := socket.NewXPub()
	defer xpub.Close()
	endpoint, err := xpub.Bind(ctx, "tcp://127.0.0.1:*")
	if err != nil {
		log.Fatal(err)
	}
	xsub := socket.NewXSub()
	defer xsub.Close()
	if err := xsub.Connect(endpoint); err != nil {
		log.Fatal(err)
	}
	if err := xsub.Send(ctx, socket.Text("\x01news")); err != nil { // the same as Subscribe("news")
		log.Fatal(err)
	}
	m, err := xpub.Recv(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m)

	if err := xsub.Send(ctx, socket.Text("more, please")); err != nil {
		log.Fatal(err)
	}
	if m, err = xpub.Recv(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(m)
	// Output:
	// ["\x01news"]
	// ["more, please"]
}

func ExampleParseSubscription() {
	for _, m := range []socket.Msg{socket.Text("\x01weather/"), socket.Text("\x00weather/"), socket.Text("hello")} {
		sub, ok := socket.ParseSubscription(m)
		fmt.Printf("%q add=%v ok=%v\n", sub.Topic, sub.Add, ok)
	}
	// Output:
	// "weather/" add=true ok=true
	// "weather/" add=false ok=true
	// "" add=false ok=false
}

// A listener that exists already, such as one that systemd passed on.
func ExamplePull_BindListener() {
	ctx := context.Background()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}

	pull := socket.NewPull()
	defer pull.Close() // closes ln too
	endpoint, err := pull.BindListener(ln)
	if err != nil {
		log.Fatal(err)
	}
	push := socket.NewPush()
	defer push.Close()
	if err := push.Connect(endpoint); err != nil {
		log.Fatal(err)
	}
	if err := push.Send(ctx, socket.Text("hello")); err != nil {
		log.Fatal(err)
	}
	m, err := pull.Recv(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m)
	// Output: ["hello"]
}

// A ROUTER serves any number of clients at once; Reply finds the way back to the one that asked.
func ExampleRouter_Reply() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := socket.NewRouter()
	defer router.Close()
	router.Bind(ctx, "inproc://reply")
	go func() {
		for request := range router.Messages(ctx) {
			_, body := request.Envelope()
			router.Reply(ctx, request, socket.Text("you said "+string(body[0])))
		}
	}()

	req := socket.NewReq()
	defer req.Close()
	req.Connect("inproc://reply")
	reply, err := req.Do(ctx, socket.Text("hello"))
	fmt.Println(reply, err)
	// Output: ["you said hello"] <nil>
}

// Work through what is there, and do something else when there is nothing.
func ExamplePull_TryRecv() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	pull, push := socket.NewPull(), socket.NewPush()
	defer pull.Close()
	defer push.Close()
	pull.Bind(ctx, "inproc://look")
	push.Connect("inproc://look")
	push.WaitPeers(ctx, 1)
	pull.WaitPeers(ctx, 1)
	push.Send(ctx, socket.Text("one"))
	push.Send(ctx, socket.Text("two"))
	for {
		m, err := pull.TryRecv()
		if errors.Is(err, socket.ErrWouldBlock) {
			fmt.Println("nothing more")
			break
		}
		fmt.Println(m, err)
	}
	// Output:
	// ["one"] <nil>
	// ["two"] <nil>
	// nothing more
}

// Each line accounts for every message.
func ExampleStats() {
	pub := socket.NewPub()
	defer pub.Close()
	pub.TrySend(socket.Text("news"))
	fmt.Println(pub.Stats())
	// Output: out: accepted 1, delivered 0, queued 0, dropped 1 (no subscriber); in: received 0, handed 0, unread 0
}

// The peer that answered first is asked again, whoever's turn it is.
func ExampleDealer_SendTo() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	dealer := socket.NewDealer()
	defer dealer.Close()
	dealer.Bind(ctx, "inproc://same")
	for range 2 {
		rep := socket.NewRep()
		defer rep.Close()
		rep.Connect("inproc://same")
		go answer(ctx, rep)
	}
	dealer.Send(ctx, socket.Text("", "first"))
	reply, err := dealer.Recv(ctx)
	if err != nil {
		log.Fatal(err)
	}
	dealer.SendTo(ctx, reply.From, socket.Text("", "second"))
	again, err := dealer.Recv(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(again.From == reply.From)
	// Output: true
}
