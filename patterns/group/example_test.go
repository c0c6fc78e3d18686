package group_test

import (
	"context"
	"fmt"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/patterns/group"
)

func Example() {
	ctx := context.Background()
	ann := group.New[string]("ann")
	defer ann.Close()
	endpoint, _ := ann.Bind(ctx, "tcp://127.0.0.1:*")
	ann.Join("lobby")

	bob := group.New[string]("bob")
	bob.Connect(endpoint)
	bob.Join("lobby")
	bob.WaitPeers(ctx, "lobby", 1)
	bob.Shout(ctx, "lobby", "hello")
	bob.Whisper(ctx, bob.Peers("lobby")[0], "psst")
	bob.Shutdown(ctx) // what was said is with ann

	for e, err := range ann.Events(ctx) {
		fmt.Println(e.Kind, e.Peer, e.Group, e.Value, err)
		if e.Kind == group.Exited {
			break
		}
	}
	// Output:
	// entered bob   <nil>
	// joined bob lobby  <nil>
	// shout bob lobby hello <nil>
	// whisper bob  psst <nil>
	// left bob lobby  <nil>
	// exited bob   <nil>
}

// A member whose values are of no one type, encoded as JSON.
func ExampleNew() {
	ctx := context.Background()
	ann := group.New[any]("ann", group.WithCodec(patterns.JSON()))
	bob := group.New[patterns.Raw]("bob")
	defer ann.Close()
	defer bob.Close()
	ann.Bind(ctx, "inproc://example")
	bob.Connect("inproc://example")
	ann.WaitPeers(ctx, "", 1)
	ann.Whisper(ctx, ann.Peers("")[0], map[string]int{"n": 1})
	for e, err := range bob.Events(ctx) {
		if e.Kind == group.Whisper {
			fmt.Println(e.Value.Type, string(e.Value.Data), err)
			break
		}
	}
	// Output: json {"n":1} <nil>
}
