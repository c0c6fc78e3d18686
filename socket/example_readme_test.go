package socket_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/auth"
	"github.com/yodel-mq/yodel/transport/simnet"
	"github.com/yodel-mq/yodel/transport/zmtp/curve"
)

// What README.md shows first.
func Example_readme() {
	ctx := context.Background()

	pull := socket.NewPull()
	defer pull.Close()
	endpoint, err := pull.Bind(ctx, "tcp://127.0.0.1:*") // any free port
	if err != nil {
		log.Fatal(err)
	}

	push := socket.NewPush()
	defer push.Close()
	if err := push.Connect(endpoint); err != nil {
		log.Fatal(err)
	}
	if err := push.Send(ctx, socket.Text("hello", "world")); err != nil {
		log.Fatal(err)
	}

	m, err := pull.Recv(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m)                                            // ["hello" "world"]
	fmt.Println("handed over:", pull.Stats().Handed.Messages) // handed over: 1
	// Output:
	// ["hello" "world"]
	// handed over: 1
}

// What README.md shows about who may come in.
func Example_readmeSecurity() {
	dir, err := os.MkdirTemp("", "yodel")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	key, mine := curve.GenerateKey(), curve.GenerateKey()
	serverKey := key.Public()
	if err := os.WriteFile(filepath.Join(dir, "clients.keys"), []byte(mine.Public().String()), 0o600); err != nil {
		log.Fatal(err)
	}
	here, err := os.Getwd()
	if err != nil {
		log.Fatal(err)
	}
	if err := os.Chdir(dir); err != nil {
		log.Fatal(err)
	}
	keys, err := auth.OpenKeys("clients.keys") // public keys, one a line; who is taken off it is cut off
	if err != nil {
		log.Fatal(err)
	}
	defer keys.Close()
	if err := os.Chdir(here); err != nil {
		log.Fatal(err)
	}
	rep := socket.NewRep(socket.WithSecurity(curve.Server(key, nil)), socket.WithAuthenticator(keys))
	req := socket.NewReq(socket.WithSecurity(curve.Client(mine, serverKey)))
	defer rep.Close()
	defer req.Close()

	ctx := context.Background()
	endpoint, err := rep.Bind(ctx, "tcp://127.0.0.1:*")
	if err != nil {
		log.Fatal(err)
	}
	if err := req.Connect(endpoint); err != nil {
		log.Fatal(err)
	}
	if err := req.Send(ctx, socket.Text("may I?")); err != nil {
		log.Fatal(err)
	}
	m, err := rep.Recv(ctx)
	fmt.Println(m, m.From.User == mine.Public().String(), err)
	// Output: ["may I?"] true <nil>
}

// What README.md shows about simnet.
func TestReadmePartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // time is virtual here: the test takes milliseconds
		network := simnet.New(simnet.Config{Latency: 20 * time.Millisecond})
		pull := socket.NewPull(socket.WithTransport(network.Host("collector")))
		defer pull.Close()
		push := socket.NewPush(socket.WithTransport(network.Host("sensor")))
		defer push.Close()

		if _, err := pull.Bind(t.Context(), "sim://collector:1"); err != nil {
			t.Fatal(err)
		}
		if err := push.Connect("sim://collector:1"); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		network.Partition("sensor")
		time.AfterFunc(time.Hour, network.Heal)

		if err := push.Send(t.Context(), socket.Text("21.5 °C")); err != nil {
			t.Fatal(err)
		}
		m, err := pull.Recv(t.Context()) // an hour later
		if err != nil || string(m.Bytes()) != "21.5 °C" {
			t.Fatal(m, err)
		}
		if d := time.Since(began); d < time.Hour {
			t.Errorf("received through a partition, after %v", d)
		}
		if err := push.Stats().Check(); err != nil {
			t.Error(err)
		}
	})
}
