package observe_test

import (
	"fmt"
	"os"
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
