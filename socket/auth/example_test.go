package auth_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/auth"
	"github.com/yodel-mq/yodel/transport/mtls"
	"github.com/yodel-mq/yodel/transport/zmtp"
	"github.com/yodel-mq/yodel/transport/zmtp/curve"
)

// exchange sends a message from a client to a server, and tells who the server takes the client for.
func exchange(server, client zmtp.Mechanism, a socket.Authenticator, endpoint string) (user string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	pull := socket.NewPull(socket.WithSecurity(server), socket.WithAuthenticator(a))
	defer pull.Close()
	at, err := pull.Bind(ctx, endpoint)
	if err != nil {
		return "", err
	}
	push := socket.NewPush(socket.WithSecurity(client))
	defer push.Close()
	push.Connect(at)
	push.Send(ctx, socket.Text("hello"))
	m, err := pull.Recv(ctx)
	if err != nil {
		return "", err
	}
	return m.From.User, nil
}

// file puts a text into a file.
func file(text string) (path string, remove func()) {
	dir, err := os.MkdirTemp("", "auth")
	if err != nil {
		return "", func() {}
	}
	path = filepath.Join(dir, "list")
	os.WriteFile(path, []byte(text), 0o600)
	return path, func() { os.RemoveAll(dir) }
}

func ExampleOpenKeys() {
	server, ann := curve.GenerateKey(), curve.GenerateKey()
	path, remove := file(fmt.Sprintln(ann.Public(), "ann"))
	defer remove()
	keys, err := auth.OpenKeys(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer keys.Close()
	fmt.Println(exchange(curve.Server(server, nil), curve.Client(ann, server.Public()), keys, "tcp://127.0.0.1:*"))
	// Output: ann <nil>
}

func ExampleOpenPasswords() {
	path, remove := file("ann:" + auth.HashPassword("sesame"))
	defer remove()
	passwords, err := auth.OpenPasswords(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer passwords.Close()
	fmt.Println(exchange(zmtp.PlainServer(), zmtp.PlainClient("ann", "sesame"), passwords, "ipc://*"))
	// Output: ann <nil>
}

func ExampleUIDs() {
	me := os.Geteuid()
	user, err := exchange(nil, nil, auth.UIDs(uint32(me)), "inproc://example")
	fmt.Println(user == fmt.Sprint("uid:", me), err)
	// Output: true <nil>
}

func ExampleAnyOf() {
	operators := socket.AuthenticatorFunc(func(_ context.Context, c socket.Claim) (socket.User, error) {
		return socket.User{}, fmt.Errorf("no operator: %v", c.Mechanism)
	})
	me := uint32(os.Geteuid())
	claim := socket.Claim{Mechanism: "NULL", Endpoint: "tcp://*:5555"}
	_, err := auth.AnyOf(operators, auth.UIDs(me)).Authenticate(context.Background(), claim)
	fmt.Println(err)
	// Output: no operator: NULL; auth: tcp://*:5555: shows nothing that is looked at here, a process on this host
}

func ExampleOpenCertificates() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	server, err := mtls.SelfSigned("server")
	if err != nil {
		fmt.Println(err)
		return
	}
	ann, err := mtls.SelfSigned("ann")
	if err != nil {
		fmt.Println(err)
		return
	}
	path, remove := file(fmt.Sprintln(mtls.KeyHashOf(ann.Leaf), "ann"))
	defer remove()
	list, err := auth.OpenCertificates(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer list.Close()

	bound := mtls.New(mtls.WithCertificate(server), mtls.WithAnyClient()) // whoever the list lets in
	pull := socket.NewPull(socket.WithTransport(bound), socket.WithAuthenticator(list))
	defer pull.Close()
	at, err := pull.Bind(ctx, "tls://127.0.0.1:*")
	if err != nil {
		fmt.Println(err)
		return
	}
	dials := mtls.New(mtls.WithCertificate(ann), mtls.WithPins(mtls.KeyHashOf(server.Leaf)))
	push := socket.NewPush(socket.WithTransport(dials))
	defer push.Close()
	push.Connect(at)
	push.Send(ctx, socket.Text("hello"))
	m, err := pull.Recv(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(m.From.User)
	// Output: ann
}
