package zmqcompat_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/yodel-mq/yodel/socket"
	zmq4 "github.com/yodel-mq/yodel/socket/zmqcompat"
)

// The whole of the migration is the import line.
func Example() {
	// import zmq4 "github.com/yodel-mq/yodel/socket/zmqcompat" // was "github.com/go-zeromq/zmq4"
	ctx := context.Background()
	pub := zmq4.NewPub(ctx)
	defer pub.Close()
	if err := pub.Listen("tcp://127.0.0.1:0"); err != nil {
		log.Fatal(err)
	}
	sub := zmq4.NewSub(ctx, zmq4.WithID(zmq4.SocketIdentity("s1")))
	defer sub.Close()
	if err := sub.SetOption(zmq4.OptionSubscribe, "quotes."); err != nil {
		log.Fatal(err)
	}
	if err := sub.Dial("tcp://" + pub.Addr().String()); err != nil {
		log.Fatal(err)
	}
	// In place of a sleep, which go-zeromq programs need here.
	if err := zmq4.Engine(pub).(*socket.Pub).WaitSubscribers(ctx, "quotes.", 1); err != nil {
		log.Fatal(err)
	}
	if err := pub.Send(zmq4.NewMsgFromString([]string{"quotes.ACME", "42"})); err != nil {
		log.Fatal(err)
	}
	fmt.Println(sub.Recv())
	// Output: Msg{Frames:{"quotes.ACME", "42"}} <nil>
}

func ExampleNewMsg() {
	fmt.Println(zmq4.NewMsg([]byte("hello")))
	// Output: Msg{Frames:{"hello"}}
}

func ExampleNewMsgFrom() {
	fmt.Println(zmq4.NewMsgFrom([]byte("topic"), []byte{0xca, 0xfe}))
	// Output: Msg{Frames:{"topic", "\xca\xfe"}}
}

func ExampleNewMsgString() {
	fmt.Println(zmq4.NewMsgString("hello"))
	// Output: Msg{Frames:{"hello"}}
}

func ExampleNewMsgFromString() {
	fmt.Println(zmq4.NewMsgFromString([]string{"topic", "hello"}))
	// Output: Msg{Frames:{"topic", "hello"}}
}

func ExampleNewPush() {
	ctx := context.Background()
	push := zmq4.NewPush(ctx)
	defer push.Close()
	if err := push.Listen("inproc://example-push"); err != nil {
		log.Fatal(err)
	}
	worker := zmq4.NewPull(ctx)
	defer worker.Close()
	if err := worker.Dial("inproc://example-push"); err != nil {
		log.Fatal(err)
	}
	if err := push.Send(zmq4.NewMsgString("task 1")); err != nil {
		log.Fatal(err)
	}
	fmt.Println(worker.Recv())
	// Output: Msg{Frames:{"task 1"}} <nil>
}

func ExampleNewPull() {
	ctx := context.Background()
	sink := zmq4.NewPull(ctx)
	defer sink.Close()
	if err := sink.Listen("tcp://127.0.0.1:*"); err != nil {
		log.Fatal(err)
	}
	for i := range 3 {
		push := zmq4.NewPush(ctx)
		defer push.Close()
		if err := push.Dial("tcp://" + sink.Addr().String()); err != nil {
			log.Fatal(err)
		}
		if err := push.Send(zmq4.NewMsgString(fmt.Sprint("result ", i))); err != nil {
			log.Fatal(err)
		}
	}
	for range 3 {
		msg, err := sink.Recv()
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(string(msg.Bytes()))
	}
	// Unordered output:
	// result 0
	// result 1
	// result 2
}

// A REQ and a REP take turns.
func ExampleNewReq() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel() // closes both sockets
	rep := zmq4.NewRep(ctx)
	if err := rep.Listen("inproc://example-req"); err != nil {
		log.Fatal(err)
	}
	req := zmq4.NewReq(ctx, zmq4.WithDialerMaxRetries(-1)) // Dial returns at once
	if err := req.Dial("inproc://example-req"); err != nil {
		log.Fatal(err)
	}
	if err := req.Send(zmq4.NewMsgString("hello")); err != nil {
		log.Fatal(err)
	}
	question, _ := rep.Recv()
	if err := rep.Send(zmq4.NewMsgFromString([]string{"you said", question.String()})); err != nil {
		log.Fatal(err)
	}
	fmt.Println(req.Recv())
	// Output: Msg{Frames:{"you said", "Msg{Frames:{\"hello\"}}"}} <nil>
}

// A server loop ends when the context does.
func ExampleNewRep() {
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	rep := zmq4.NewRep(ctx)
	defer rep.Close()
	if err := rep.Listen("inproc://example-rep"); err != nil {
		log.Fatal(err)
	}
	for {
		msg, err := rep.Recv()
		if err != nil {
			fmt.Println(err)
			return
		}
		if err := rep.Send(msg); err != nil {
			log.Print(err)
		}
	}
	// Output: zmqcompat: recv: the socket is closed (context deadline exceeded)
}

func ExampleNewPair() {
	ctx := context.Background()
	a, b := zmq4.NewPair(ctx), zmq4.NewPair(ctx)
	defer a.Close()
	defer b.Close()
	if err := a.Listen("inproc://example-pair"); err != nil {
		log.Fatal(err)
	}
	if err := b.Dial("inproc://example-pair"); err != nil {
		log.Fatal(err)
	}
	if err := a.Send(zmq4.NewMsgString("ping")); err != nil {
		log.Fatal(err)
	}
	fmt.Println(b.Recv())
	// Output: Msg{Frames:{"ping"}} <nil>
}

// Topics lists what the peers of a PUB have subscribed to.
func ExampleNewPub() {
	pub := zmq4.NewPub(context.Background(), zmq4.WithLogger(log.New(os.Stderr, "pub: ", log.LstdFlags)))
	defer pub.Close()
	if err := pub.SetOption(zmq4.OptionHWM, 10_000); err != nil { // before anything else
		log.Fatal(err)
	}
	if err := pub.Listen("inproc://example-pub"); err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(pub.(zmq4.Topics).Topics()), pub.Send(zmq4.NewMsgString("nobody listens")))
	// Output: 0 <nil>
}

func ExampleNewSub() {
	sub := zmq4.NewSub(context.Background())
	defer sub.Close()
	for _, topic := range []string{"weather", "news"} {
		if err := sub.SetOption(zmq4.OptionSubscribe, topic); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(sub.(zmq4.Topics).Topics())
	// Output: [news weather]
}

// A ROUTER says who a message is from and for.
func ExampleNewRouter() {
	ctx := context.Background()
	router := zmq4.NewRouter(ctx)
	defer router.Close()
	if err := router.Listen("inproc://example-router"); err != nil {
		log.Fatal(err)
	}
	dealer := zmq4.NewDealer(ctx, zmq4.WithID(zmq4.SocketIdentity("worker-7")))
	defer dealer.Close()
	if err := dealer.Dial("inproc://example-router"); err != nil {
		log.Fatal(err)
	}
	if err := dealer.Send(zmq4.NewMsgString("ready")); err != nil {
		log.Fatal(err)
	}
	msg, err := router.Recv()
	fmt.Println(msg, err)
	if err := router.Send(zmq4.NewMsgFrom(msg.Frames[0], []byte("work"))); err != nil {
		log.Fatal(err)
	}
	fmt.Println(dealer.Recv())
	// Output:
	// Msg{Frames:{"worker-7", "ready"}} <nil>
	// Msg{Frames:{"work"}} <nil>
}

// Send gives up after the time of WithTimeout.
func ExampleNewDealer() {
	dealer := zmq4.NewDealer(context.Background(), zmq4.WithTimeout(time.Millisecond))
	defer dealer.Close()
	if err := dealer.Listen("inproc://example-dealer"); err != nil {
		log.Fatal(err)
	}
	err := dealer.Send(zmq4.NewMsgString("to nobody"))
	fmt.Println(errors.Is(err, context.DeadlineExceeded))
	// Output: true
}

// An XPUB and an XSUB with a proxy between them pass on messages one way and subscriptions the other.
func ExampleNewProxy() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel() // ends the proxy and closes its sockets
	front, back := zmq4.NewXSub(ctx), zmq4.NewXPub(ctx)
	for s, endpoint := range map[zmq4.Socket]string{front: "inproc://example-front", back: "inproc://example-back"} {
		if err := s.Listen(endpoint); err != nil {
			log.Fatal(err)
		}
	}
	proxy := zmq4.NewProxy(ctx, front, back, nil)

	sub := zmq4.NewXSub(ctx)
	if err := sub.Dial("inproc://example-back"); err != nil {
		log.Fatal(err)
	}
	if err := sub.Send(zmq4.NewMsgString("\x01news")); err != nil { // subscribes
		log.Fatal(err)
	}
	pub := zmq4.NewXPub(ctx)
	if err := pub.Dial("inproc://example-front"); err != nil {
		log.Fatal(err)
	}
	fmt.Println(pub.Recv()) // hears of it
	if err := pub.Send(zmq4.NewMsgString("news at ten")); err != nil {
		log.Fatal(err)
	}
	fmt.Println(sub.Recv())
	cancel()
	fmt.Println(proxy.Run())
	// Output:
	// Msg{Frames:{"\x01news"}} <nil>
	// Msg{Frames:{"news at ten"}} <nil>
	// context canceled
}

func ExampleNewXPub() {
	ctx := context.Background()
	xpub, sub := zmq4.NewXPub(ctx), zmq4.NewSub(ctx)
	defer xpub.Close()
	defer sub.Close()
	if err := xpub.Listen("inproc://example-xpub"); err != nil {
		log.Fatal(err)
	}
	if err := sub.SetOption(zmq4.OptionSubscribe, "a"); err != nil {
		log.Fatal(err)
	}
	if err := sub.Dial("inproc://example-xpub"); err != nil {
		log.Fatal(err)
	}
	fmt.Println(xpub.Recv())
	// Output: Msg{Frames:{"\x01a"}} <nil>
}

func ExampleNewXSub() {
	xsub := zmq4.NewXSub(context.Background())
	defer xsub.Close()
	// Both subscribe, before there is anyone to tell.
	fmt.Println(xsub.Send(zmq4.NewMsgString("\x01weather")), xsub.SetOption(zmq4.OptionSubscribe, "news"))
	// Output: <nil> <nil>
}

// The socket underneath has what the original's API has no words for.
func ExampleEngine() {
	ctx := context.Background()
	push, pull := zmq4.NewPush(ctx), zmq4.NewPull(ctx)
	defer push.Close()
	defer pull.Close()
	if err := pull.Listen("inproc://example-engine"); err != nil {
		log.Fatal(err)
	}
	if err := push.Dial("inproc://example-engine"); err != nil {
		log.Fatal(err)
	}
	if err := push.Send(zmq4.NewMsgString("counted")); err != nil {
		log.Fatal(err)
	}
	fmt.Println(zmq4.Engine(push).Stats().Delivered.Messages, "delivered")
	// Output: 1 delivered
}

func ExampleRegisterTransport() {
	fmt.Println(zmq4.RegisterTransport("tcp", nil))
	// Output: zmqcompat: register transport "tcp": there is one already; choose another name
}
