package mtls_test

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/yodel-mq/yodel/transport"
	"github.com/yodel-mq/yodel/transport/mtls"
)

// Two ends that know each other's keys.
func ExampleNew() {
	ctx := context.Background()
	alice, _ := mtls.SelfSigned("alice")
	bob, _ := mtls.SelfSigned("bob")

	server := mtls.New(mtls.WithCertificate(alice), mtls.WithPins(mtls.KeyHashOf(bob.Leaf)))
	l, err := server.Listen(ctx, "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		if err := c.(transport.Handshaker).HandshakeContext(ctx); err != nil {
			return
		}
		who, _ := c.(transport.Certified).PeerCertificate()
		fmt.Fprintf(c, "hello %s", who.Subject)
	}()

	client := mtls.New(mtls.WithCertificate(bob), mtls.WithPins(mtls.KeyHashOf(alice.Leaf)))
	c, err := client.Dial(ctx, l.Address())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	text, err := io.ReadAll(c)
	fmt.Println(string(text), err)
	// Output: hello CN=bob <nil>
}

func ExampleParseKeyHash() {
	k, err := mtls.ParseKeyHash("sha256:00000000000000000000000000000000000000000000000000000000000000ff")
	fmt.Println(k, err)
	_, err = mtls.ParseKeyHash("00ff")
	fmt.Println(errors.Is(err, mtls.ErrKeyHash))
	// Output:
	// sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAP8= <nil>
	// true
}

func ExampleKeyHashOf() {
	cert, _ := mtls.SelfSigned("alice")
	k := mtls.KeyHashOf(cert.Leaf)
	again, err := mtls.ParseKeyHash(k.String())
	fmt.Println(again == k, err)
	// Output: true <nil>
}

func ExampleSelfSigned() {
	cert, err := mtls.SelfSigned("alice")
	fmt.Println(cert.Leaf.Subject, cert.Leaf.PublicKeyAlgorithm, err)
	// Output: CN=alice Ed25519 <nil>
}
