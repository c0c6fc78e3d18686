package observe_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/observe"
)

func ExampleNew() {
	reg := observe.New(observe.WithProcessName("shop"))
	pull := socket.NewPull()
	defer pull.Close()
	reg.Add("orders", pull)
	reg.Ready("orders has a peer", observe.Peers(pull, 1))

	s := reg.Snapshot()
	fmt.Println(s.Process.Name, s.Sockets[0].Name, s.Sockets[0].Type, s.Sockets[0].Ledger.Handed.Messages())
	fmt.Println(s.Checks[0].Why)
	// Output:
	// shop orders PULL 0
	// 0 of 1 peers: the socket is neither bound nor connected
}

func ExampleParse() {
	s, err := observe.Parse([]byte(`{"v":1,"process":{"name":"shop","pid":42},"sockets":[{"name":"orders"}]}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.Process.Name, s.Process.PID, s.Sockets[0].Name)
	// Output: shop 42 orders
}

func ExampleWriteMetrics() {
	reg := observe.New()
	pull := socket.NewPull()
	defer pull.Close()
	reg.Add("orders", pull)
	var text strings.Builder
	if err := observe.WriteMetrics(&text, reg.Snapshot().Metrics()); err != nil {
		fmt.Println(err)
	}
	for line := range strings.Lines(text.String()) {
		if strings.HasPrefix(line, "yodel_socket_messages_total") {
			os.Stdout.WriteString(line)
		}
	}
	// Output:
	// yodel_socket_messages_total{socket="orders",type="PULL",flow="accepted"} 0
	// yodel_socket_messages_total{socket="orders",type="PULL",flow="recovered"} 0
	// yodel_socket_messages_total{socket="orders",type="PULL",flow="delivered"} 0
	// yodel_socket_messages_total{socket="orders",type="PULL",flow="received"} 0
	// yodel_socket_messages_total{socket="orders",type="PULL",flow="loaded"} 0
	// yodel_socket_messages_total{socket="orders",type="PULL",flow="handed"} 0
}

func ExampleRegistry_Handler() {
	reg := observe.New()
	defer reg.Close()
	pull := socket.NewPull()
	defer pull.Close()
	reg.Add("orders", pull)
	mux := http.NewServeMux() // the program's own
	mux.Handle("/debug/yodel/", reg.Handler())
	server := httptest.NewServer(mux)
	defer server.Close()

	for _, path := range []string{"healthz", "readyz"} {
		answer, err := http.Get(server.URL + "/debug/yodel/" + path)
		if err != nil {
			fmt.Println(err)
			return
		}
		text, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		fmt.Printf("%s: %s", path, text)
	}
	http.DefaultClient.CloseIdleConnections()
	// Output:
	// healthz: ok
	// readyz: {"ready":true,"checks":[]}
}

func ExampleRegistry_Listen() {
	reg := observe.New(observe.WithProcessName("shop"))
	defer reg.Close()
	path, err := reg.Listen()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(filepath.Base(path) == fmt.Sprintf("%d.sock", os.Getpid()))
	// Output: true
}

func ExampleProcesses() {
	reg := observe.New(observe.WithProcessName("shop"))
	defer reg.Close()
	if _, err := reg.Listen(); err != nil {
		fmt.Println(err)
		return
	}
	found, err := observe.Processes(context.Background())
	if err != nil {
		fmt.Println(err)
	}
	for _, p := range found {
		if p.Err == nil && p.PID == os.Getpid() {
			fmt.Println(p.Snapshot.Process.Name)
		}
	}
	// Output: shop
}

func ExampleRead() {
	reg := observe.New(observe.WithProcessName("shop"))
	defer reg.Close()
	path, err := reg.Listen()
	if err != nil {
		fmt.Println(err)
		return
	}
	s, err := observe.Read(context.Background(), path)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.Process.Name, s.Process.PID == os.Getpid())
	// Output: shop true
}
