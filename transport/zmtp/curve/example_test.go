package curve_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/yodel-mq/yodel/transport/zmtp"
	"github.com/yodel-mq/yodel/transport/zmtp/curve"
)

// talk brings two peers together over a connection, sends a message from the client and returns what comes of it.
func talk(client, server zmtp.Mechanism) (received string, err error) {
	a, b := net.Pipe()
	defer a.Close()
	go func() {
		defer a.Close()
		s, err := zmtp.Handshake(context.Background(), a, zmtp.Config{SocketType: zmtp.Push, Mechanism: client})
		if err != nil {
			return
		}
		_, _ = a.Write(s.Sealer.Seal(nil, 0, []byte("a secret")))
	}()
	defer b.Close()
	s, err := zmtp.Handshake(context.Background(), b, zmtp.Config{SocketType: zmtp.Pull, Mechanism: server})
	if err != nil {
		return "", err
	}
	r := zmtp.NewReader(b, s.Rest, zmtp.Limits{})
	r.SetOpener(s.Opener)
	msgs, err := r.Next(nil)
	if len(msgs) == 0 {
		return "", err
	}
	return string(msgs[0][0]), nil
}

func ExampleServer() {
	server, ann, eve := curve.GenerateKey(), curve.GenerateKey(), curve.GenerateKey()
	mechanism := curve.Server(server, curve.Allow(ann.Public()))

	fmt.Println(talk(curve.Client(ann, server.Public()), mechanism))
	_, err := talk(curve.Client(eve, server.Public()), mechanism)
	fmt.Println(errors.Is(err, curve.ErrNotAllowed))
	// Output:
	// a secret <nil>
	// true
}

func ExampleClient() {
	server := curve.GenerateKey()
	mine := curve.GenerateKey() // a client that nobody needs to know makes one when it starts
	fmt.Println(talk(curve.Client(mine, server.Public()), curve.Server(server, curve.Anyone)))
	// Output: a secret <nil>
}

func ExampleClientMechanism_To() {
	mine := curve.Client(curve.GenerateKey(), curve.PublicKey{})
	for range 2 {
		server := curve.GenerateKey()
		fmt.Println(talk(mine.To(server.Public()), curve.Server(server, curve.Anyone)))
	}
	// Output:
	// a secret <nil>
	// a secret <nil>
}

func ExampleGenerateKey() {
	key := curve.GenerateKey()
	fmt.Println(len(key.Public().String()), key)
	// Output: 40 curve.SecretKey(hidden)
}

func ExampleParsePublicKey() {
	key, err := curve.ParsePublicKey("rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7")
	fmt.Println(key, err)
	_, err = curve.ParsePublicKey("HelloWorld")
	fmt.Println(err)
	// Output:
	// rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7 <nil>
	// curve: not a key: 10 characters; want the 40 of a key in Z85
}

func ExampleWriteKeyFile() {
	dir, err := os.MkdirTemp("", "keys")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "server.key")
	key := curve.GenerateKey()
	fmt.Println(curve.WriteKeyFile(path, key))
	again, err := curve.ReadKeyFile(path)
	fmt.Println(again.Equal(key), err)
	// Output:
	// <nil>
	// true <nil>
}
