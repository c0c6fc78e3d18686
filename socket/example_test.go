package socket_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/yodel-mq/yodel/socket"
)

func ExampleNewPush() {
	ctx := context.Background()
	push := socket.NewPush()
	defer push.Close()
	push.Connect("inproc://jobs") // nobody is there yet: start order does not matter

	for i := range 3 {
		push.Send(ctx, socket.Text(fmt.Sprint("job ", i)))
	}

	pull := socket.NewPull()
	defer pull.Close()
	pull.Bind(ctx, "inproc://jobs")
	for range 3 {
		m, _ := pull.Recv(ctx)
		fmt.Println(m)
	}
	// Output:
	// ["job 0"]
	// ["job 1"]
	// ["job 2"]
}

func ExampleNewPull() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	pull := socket.NewPull(socket.WithRecvHWM(100))
	defer pull.Close()
	endpoint, err := pull.Bind(ctx, "tcp://127.0.0.1:*") // any free port
	if err != nil {
		fmt.Println(err)
		return
	}

	push := socket.NewPush()
	defer push.Close()
	push.Connect(endpoint)
	push.Send(ctx, socket.Text("a job"))

	m, err := pull.Recv(ctx)
	fmt.Println(string(m.Bytes()), m.From.Type, err)
	// Output: a job PUSH <nil>
}

func ExampleNewPub() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	pub := socket.NewPub(socket.WithSendHWM(10_000)) // a slow subscriber misses what is beyond that
	defer pub.Close()
	endpoint, _ := pub.Bind(ctx, "ipc://*") // a path of its own

	sub := socket.NewSub(socket.WithSubscription("weather."))
	defer sub.Close()
	sub.Connect(endpoint)
	pub.WaitSubscribers(ctx, "weather.oslo", 1)

	pub.Send(ctx, socket.Text("stocks.acme", "12.50")) // nobody asked for it
	pub.Send(ctx, socket.Text("weather.oslo", "-3°"))
	m, err := sub.Recv(ctx)
	fmt.Println(string(m.Frames[0]), string(m.Frames[1]), err)
	// Output: weather.oslo -3° <nil>
}

func ExampleNewSub() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	pub := socket.NewPub()
	defer pub.Close()
	pub.Bind(ctx, "inproc://news")

	sub := socket.NewSub()
	defer sub.Close()
	sub.Connect("inproc://news")
	sub.Subscribe("sport")
	sub.Subscribe("weather")
	sub.Unsubscribe("sport")
	pub.WaitSubscribers(ctx, "weather", 1)

	pub.Send(ctx, socket.Text("sport", "2:1"))
	pub.Send(ctx, socket.Text("weather", "rain"))
	m, err := sub.Recv(ctx)
	fmt.Println(m, err)
	// Output: ["weather" "rain"] <nil>
}

func ExampleNewReq() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	rep := socket.NewRep()
	defer rep.Close()
	endpoint, _ := rep.Bind(ctx, "tcp://127.0.0.1:*")
	go answer(ctx, rep)

	req := socket.NewReq()
	defer req.Close()
	req.Connect(endpoint)
	req.Send(ctx, socket.Text("hello"))
	reply, err := req.Recv(ctx)
	fmt.Println(reply, err)
	// Output: ["hello"] <nil>
}

func ExampleNewRep() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	rep := socket.NewRep()
	defer rep.Close()
	rep.Bind(ctx, "inproc://add")
	go func() {
		for m, err := range rep.Messages(ctx) {
			if err != nil {
				return // ctx has ended; when the socket closes the loop just ends
			}
			var a, b int
			fmt.Sscan(string(m.Bytes()), &a, &b)
			rep.Send(ctx, socket.Text(fmt.Sprint(a+b)))
		}
	}()

	req := socket.NewReq()
	defer req.Close()
	req.Connect("inproc://add")
	sum, err := req.Do(ctx, socket.Text("2 3"))
	fmt.Println(sum, err)
	// Output: ["5"] <nil>
}

// The frames of a message arrive together or not at all.
func ExampleNewMsg() {
	m := socket.NewMsg([]byte("topic"), []byte{0xca, 0xfe})
	fmt.Println(m, len(m.Frames), m.Size())
	// Output: ["topic" "\xca\xfe"] 2 7
}

func ExampleText() {
	m := socket.Text("weather.oslo", "-3°")
	fmt.Println(m, string(m.Bytes()))
	// Output: ["weather.oslo" "-3°"] weather.oslo-3°
}

// Do is a request and its reply in one call, and any number of goroutines may call it.
func ExampleReq_Do() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	rep := socket.NewRep()
	defer rep.Close()
	rep.Bind(ctx, "inproc://do")
	go answer(ctx, rep)

	req := socket.NewReq(socket.WithRetry(1)) // once more, if the peer is lost before it replied
	defer req.Close()
	req.Connect("inproc://do")
	reply, err := req.Do(ctx, socket.Text("hello"))
	fmt.Println(reply, err)

	rep.Close()
	short, cancelShort := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancelShort()
	_, err = req.Do(short, socket.Text("anybody?"))
	fmt.Println("nobody there:", err != nil)
	// Output:
	// ["hello"] <nil>
	// nobody there: true
}

// No need to sleep until subscribers are there: wait for them.
func ExamplePub_WaitSubscribers() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	pub := socket.NewPub()
	defer pub.Close()
	pub.Bind(ctx, "inproc://prices")

	for range 3 {
		sub := socket.NewSub(socket.WithSubscription("acme"))
		defer sub.Close()
		sub.Connect("inproc://prices")
	}
	err := pub.WaitSubscribers(ctx, "acme", 3)
	fmt.Println("all here:", err)

	ended, end := context.WithCancel(ctx)
	end()
	fmt.Println(pub.WaitSubscribers(ended, "acme", 4))
	// Output:
	// all here: <nil>
	// socket: wait for 4 subscribers to "acme", have 3: context canceled
}

// What happens to a socket is told by events; here until its first peer has come and gone.
func ExamplePull_Events() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	pull := socket.NewPull()
	defer pull.Close()
	pull.Bind(ctx, "inproc://events")

	go func() {
		push := socket.NewPush()
		push.Connect("inproc://events")
		push.WaitPeers(ctx, 1)
		push.Close()
	}()
	for ev := range pull.Events(ctx) {
		fmt.Println(ev.Kind)
		if ev.Kind == socket.PeerDown {
			break
		}
	}
	// Output:
	// listening
	// accepted
	// peer up
	// peer down
}

// Every message is in one column of the ledger.
func ExamplePub_Stats() {
	ctx := context.Background()
	pub := socket.NewPub()
	defer pub.Close()
	pub.Send(ctx, socket.Text("news"))
	pub.Send(ctx, socket.Text("more news"))

	stats := pub.Stats()
	fmt.Println("accepted:", stats.Accepted.Messages)
	fmt.Println("delivered:", stats.Delivered.Messages)
	fmt.Println("dropped:", stats.Dropped)
	fmt.Println("balance:", stats.Check())
	// Output:
	// accepted: 2
	// delivered: 0
	// dropped: map[no subscriber:2 messages (13 bytes)]
	// balance: <nil>
}

// Shutdown closes a socket when all it has accepted is delivered, however long that takes; the context bounds it.
func ExamplePush_Shutdown() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	push := socket.NewPush()
	push.Connect("inproc://later")
	push.Send(ctx, socket.Text("the last job"))

	go func() { // the peer comes late
		pull := socket.NewPull()
		defer pull.Close()
		pull.Bind(ctx, "inproc://later")
		pull.Recv(ctx)
	}()
	fmt.Println("shutdown:", push.Shutdown(ctx))
	fmt.Println("delivered:", push.Stats().Delivered.Messages)

	err := push.Send(ctx, socket.Text("too late"))
	fmt.Println(errors.Is(err, socket.ErrClosed), err)
	// Output:
	// shutdown: <nil>
	// delivered: 1
	// true socket: send: the socket is closed
}

// A loop over Messages ends when the socket closes; the end of the context comes as an error.
func ExamplePull_Messages() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	pull := socket.NewPull()
	defer pull.Close()
	pull.Bind(ctx, "inproc://messages")

	push := socket.NewPush()
	defer push.Close()
	push.Connect("inproc://messages")
	for _, text := range []string{"one", "two", "stop"} {
		push.Send(ctx, socket.Text(text))
	}

	for m, err := range pull.Messages(ctx) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(m)
		if string(m.Bytes()) == "stop" {
			break
		}
	}
	// Output:
	// ["one"]
	// ["two"]
	// ["stop"]
}

// answer sends each request back as its own reply until the socket closes.
func answer(ctx context.Context, rep *socket.Rep) {
	for m, err := range rep.Messages(ctx) {
		if err != nil || rep.Send(ctx, m) != nil {
			return
		}
	}
}
