package zmtp_test

import (
	"bytes"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// Two peers over one connection, each told what the other is.
func ExampleHandshake() {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()

	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		_, _ = zmtp.Handshake(context.Background(), b, zmtp.Config{SocketType: zmtp.Dealer, Identity: []byte("worker-1")})
	})

	s, err := zmtp.Handshake(context.Background(), a, zmtp.Config{SocketType: zmtp.Router})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.Version, s.PeerType, string(s.Identity))
	// Output: 3.1 DEALER worker-1
}

// A limit on the time of a handshake is one on its context.
func ExampleHandshake_timeout() {
	silent, ours := net.Pipe()
	defer silent.Close()

	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	_, err := zmtp.Handshake(ctx, ours, zmtp.Config{SocketType: zmtp.Pull})
	fmt.Println(err)
	// Output: zmtp: handshake: context deadline exceeded
}

// Two peers in one process agree without a connection between them.
func ExampleNegotiate() {
	ab, ba := make(chan zmtp.Command, 1), make(chan zmtp.Command, 1)
	meet := func(context.Context, zmtp.Greeting) (zmtp.Greeting, error) {
		return zmtp.Greeting{Version: zmtp.Version{Major: 3, Minor: 1}, Mechanism: "NULL"}, nil
	}
	ctx := context.Background()
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		_, _ = zmtp.Negotiate(ctx, channels{ba, ab}, zmtp.Config{SocketType: zmtp.Dealer, Identity: []byte("worker-1")}, meet)
	})

	s, err := zmtp.Negotiate(ctx, channels{ab, ba}, zmtp.Config{SocketType: zmtp.Router}, meet)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.Version, s.PeerType, string(s.Identity))
	// Output: 3.1 DEALER worker-1
}

// channels are one side's end of a conduit.
type channels struct {
	in  <-chan zmtp.Command
	out chan<- zmtp.Command
}

func (c channels) Send(_ context.Context, command zmtp.Command) error {
	c.out <- command
	return nil
}

func (c channels) Receive(context.Context) (zmtp.Command, error) { return <-c.in, nil }

func ExampleCheckGreetingPrefix() {
	err := zmtp.CheckGreetingPrefix([]byte("GET / HTTP/1.1"))
	fmt.Println(errors.Is(err, zmtp.ErrNotZMTP), err)
	// Output:
	// true zmtp: greeting: not a ZMTP peer: "GET / HTTP/1.1" is an HTTP request; a ZMTP greeting starts with 0xff
}

func ExampleAppendGreeting() {
	b := zmtp.AppendGreeting(nil, zmtp.Greeting{})
	fmt.Printf("%d bytes: % x\n", len(b), b[:16])
	// Output: 64 bytes: ff 00 00 00 00 00 00 00 00 7f 03 01 4e 55 4c 4c
}

func ExampleParseGreeting() {
	g, err := zmtp.ParseGreeting(
		zmtp.AppendGreeting(nil, zmtp.Greeting{Version: zmtp.Version{Major: 4}, Mechanism: "NULL"}))
	fmt.Println(g.Version, g.Version.Common(), g.Mechanism, err)
	// Output: 4.0 3.1 NULL <nil>
}

// A message of two frames.
func ExampleAppendHeader() {
	var b []byte
	b = zmtp.AppendHeader(b, zmtp.FlagMore, 5)
	b = append(b, "topic"...)
	b = zmtp.AppendHeader(b, 0, 4)
	b = append(b, "body"...)
	fmt.Printf("%q\n", b)
	// Output: "\x01\x05topic\x00\x04body"
}

func ExampleParseHeader() {
	b := []byte("\x01\x05topic")
	h, n, err := zmtp.ParseHeader(b)
	fmt.Println(h.More(), h.Size, n, err)
	_, n, err = zmtp.ParseHeader(b[:1])
	fmt.Println(n, err, "(more bytes needed)")
	// Output:
	// true 5 2 <nil>
	// 0 <nil> (more bytes needed)
}

func ExampleParseCommand() {
	frame := zmtp.AppendPing(nil, 3*time.Second, []byte("ctx"))
	h, n, _ := zmtp.ParseHeader(frame)
	name, data, _ := zmtp.ParseCommand(frame[n : n+int(h.Size)])
	ttl, context, err := zmtp.ParsePing(data)
	fmt.Println(name, ttl, string(context), err)
	// Output: PING 3s ctx <nil>
}

// The traffic that follows a handshake: a message of two frames, with a command between them.
func ExampleNewReader() {
	var wire []byte
	wire = zmtp.AppendHeader(wire, zmtp.FlagMore, 5)
	wire = append(wire, "topic"...)
	wire = zmtp.AppendPing(wire, time.Second, nil)
	wire = zmtp.AppendHeader(wire, 0, 4)
	wire = append(wire, "body"...)

	r := zmtp.NewReader(bytes.NewReader(wire), nil, zmtp.Limits{MaxMessage: 1 << 20, MaxFrames: 16})
	for {
		messages, err := r.Next(zmtp.HandlerFunc(func(name string, _ []byte, after int) error {
			fmt.Println("command", name, "after", after, "messages")
			return nil
		}))
		for _, frames := range messages {
			fmt.Printf("message %q\n", frames)
		}
		if err != nil {
			fmt.Println(err)
			return
		}
	}
	// Output:
	// command PING after 0 messages
	// message ["topic" "body"]
	// EOF
}

// The same subscription for a peer of today and for one of libzmq 4.2.
func ExampleAppendSubscribe() {
	fmt.Printf("%q\n", zmtp.AppendSubscribe(nil, zmtp.Version{Major: 3, Minor: 1}, []byte("A")))
	fmt.Printf("%q\n", zmtp.AppendSubscribe(nil, zmtp.Version{Major: 3, Minor: 0}, []byte("A")))
	// Output:
	// "\x04\v\tSUBSCRIBEA"
	// "\x00\x02\x01A"
}

func ExampleParseMetadata() {
	b := zmtp.AppendMetadata(nil,
		zmtp.Metadata{{Name: "Socket-Type", Value: []byte("PULL")}, {Name: "X-Zone", Value: []byte("eu")}})
	m, err := zmtp.ParseMetadata(b)
	for _, p := range m {
		fmt.Printf("%s %q\n", p.Name, p.Value)
	}
	fmt.Println(err)
	// Output:
	// Socket-Type "PULL"
	// X-Zone "eu"
	// <nil>
}

func ExampleMetadata_Get() {
	m := zmtp.Metadata{{Name: "Socket-Type", Value: []byte("PULL")}}
	v, ok := m.Get("socket-type")
	fmt.Println(string(v), ok)
	// Output: PULL true
}

func ExampleSocketType_Check() {
	fmt.Println(zmtp.Pull.Check(zmtp.Pub))
	// Output: zmtp: socket type: socket type not accepted: the peer's PUB cannot talk to our PULL, which talks to PUSH
}

func ExamplePlainServer() {
	server := zmtp.Config{
		SocketType: zmtp.Pull,
		Mechanism:  zmtp.PlainServer(),
		Authenticate: func(_ context.Context, c zmtp.Claim) (zmtp.User, error) {
			user, password := c.Credentials[0], c.Credentials[1]
			if string(user) != "ann" || subtle.ConstantTimeCompare(password, []byte("sesame")) == 0 {
				return zmtp.User{}, errors.New("wrong user or password") // the client gets ERROR 400
			}
			return zmtp.User{ID: string(user)}, nil
		},
	}
	a, b := net.Pipe()
	defer a.Close()
	go func() {
		defer a.Close()
		client := zmtp.Config{SocketType: zmtp.Push, Mechanism: zmtp.PlainClient("ann", "sesame")}
		_, _ = zmtp.Handshake(context.Background(), a, client)
	}()
	s, err := zmtp.Handshake(context.Background(), b, server)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.Mechanism, s.User.ID, s.PeerType)
	// Output: PLAIN ann PUSH
}

func ExamplePlainClient() {
	a, b := net.Pipe()
	go func() {
		defer b.Close()
		server := zmtp.Config{
			SocketType: zmtp.Pull,
			Mechanism:  zmtp.PlainServer(),
			Authenticate: func(context.Context, zmtp.Claim) (zmtp.User, error) {
				return zmtp.User{}, errors.New("nobody is let in today")
			},
		}
		_, _ = zmtp.Handshake(context.Background(), b, server)
	}()
	defer a.Close()
	client := zmtp.Config{SocketType: zmtp.Push, Mechanism: zmtp.PlainClient("ann", "sesame")}
	_, err := zmtp.Handshake(context.Background(), a, client)
	fmt.Println(err)
	// Output: zmtp: handshake: refused by the peer: ERROR with reason "400"
}

func ExampleRefusal() {
	c := zmtp.Refusal(errors.New("wrong password")) // which stays here
	fmt.Printf("%s %q\n", c.Name, c.Data)
	c = zmtp.Refusal(&zmtp.Denial{Status: zmtp.StatusTemporary, Err: errors.New("the database is away")})
	fmt.Printf("%q\n", c.Name)
	// Output:
	// ERROR "\x03400"
	// ""
}
