package static_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/yodel-mq/yodel/discovery"
	"github.com/yodel-mq/yodel/discovery/static"
)

func ExampleNew() {
	b, err := static.New(static.Peer{Service: "orders", Endpoints: []string{"tcp://10.1.0.7:5555"}, Type: "PUB"})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	events, _ := b.Watch(ctx, discovery.Query{Service: "orders"})
	for e := range events {
		if e.Kind == discovery.Synced {
			break
		}
		fmt.Println(e.Kind, e.Record.Services[0].Endpoints[0])
	}
	// Output: added tcp://10.1.0.7:5555
}

func ExampleFile() {
	dir, _ := os.MkdirTemp("", "static")
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "peers")
	_ = os.WriteFile(path, []byte("# who sells\norders tcp://10.1.0.7:5555 type=PUB\n"), 0o600)

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	events, _ := static.File(path).Watch(ctx, discovery.Query{Service: "orders"})
	fmt.Println((<-events).Record.Services)
	// Output: [{orders PUB [tcp://10.1.0.7:5555]}]
}
