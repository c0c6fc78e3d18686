package socket_test

import (
	"context"
	"fmt"
	"path"
	"time"

	"github.com/yodel-mq/yodel/socket"
)

// globs is a Matcher of patterns such as "sensor/*/temperature".
type globs map[string][]*socket.Peer

func (g globs) Add(pattern string, p *socket.Peer) { g[pattern] = append(g[pattern], p) }

func (g globs) Remove(pattern string, p *socket.Peer) {
	for i, other := range g[pattern] {
		if other == p {
			g[pattern] = append(g[pattern][:i:i], g[pattern][i+1:]...)
		}
	}
	if len(g[pattern]) == 0 {
		delete(g, pattern)
	}
}

func (g globs) Match(topic []byte, visit func(p *socket.Peer)) {
	for pattern, peers := range g {
		if ok, _ := path.Match(pattern, string(topic)); ok {
			for _, p := range peers {
				visit(p)
			}
		}
	}
}

// A publisher that takes subscriptions for patterns. An XSub does not filter what it receives by its own
// subscriptions, as a Sub does.
func ExampleMatcher() {
	pub := socket.NewPub(socket.WithMatcher(globs{}))
	defer pub.Close()
	sub := socket.NewXSub(socket.WithSubscription("sensor/*/temperature"))
	defer sub.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	pub.Bind(ctx, "inproc://patterns")
	sub.Connect("inproc://patterns")
	pub.WaitSubscribers(ctx, "sensor/roof/temperature", 1)
	pub.Send(ctx, socket.Text("sensor/roof/wind", "7 m/s"))
	pub.Send(ctx, socket.Text("sensor/roof/temperature", "21 °C"))
	fmt.Println(sub.Recv(ctx))
	// Output: ["sensor/roof/temperature" "21 °C"] <nil>
}
