package zmtp_test

import (
	"fmt"
	"time"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// data is what a command of less than 256 bytes carries.
func data(frame []byte) []byte {
	_, data, _ := zmtp.ParseCommand(frame[2:])
	return data
}

func ExampleParseYodel() {
	v := zmtp.AppendYodel(nil, &zmtp.Yodel{Features: zmtp.FeatureReliable, Heartbeat: 3 * time.Second})
	y, err := zmtp.ParseYodel(v)
	fmt.Println(len(v), y.Features.Has(zmtp.FeatureReliable), y.Heartbeat, err)
	// Output: 41 true 3s <nil>
}

func ExampleParseOpen() {
	sent := zmtp.Open{Epoch: 1, Link: 1, Low: 4, Next: 10, WindowMessages: 1000, WindowBytes: 8 << 20, Name: "orders"}
	o, err := zmtp.ParseOpen(sent.Command().Data)
	fmt.Println(o.Low, o.Next, o.WindowMessages, o.WindowBytes, o.Name, err)
	// Output: 4 10 1000 8388608 orders <nil>
}

func ExampleParseAck() {
	upto, settled, err := zmtp.ParseAck(data(zmtp.AppendAck(nil, 100, zmtp.Range{From: 105, To: 107})), nil)
	fmt.Println(upto, settled, err)
	// Output: 100 [{105 107}] <nil>
}

func ExampleParseNext() {
	n, err := zmtp.ParseNext(data(zmtp.AppendNext(nil, zmtp.Next{Number: 7, Attempts: 1, Redelivered: true})))
	fmt.Println(n.Number, n.Attempts, n.Redelivered, n.TTL, err)
	// Output: 7 1 true 0s <nil>
}

func ExampleParseLow() {
	low, settled, err := zmtp.ParseLow(data(zmtp.AppendLow(nil, 50)), nil)
	fmt.Println(low, settled, err)
	// Output: 50 [] <nil>
}

func ExampleParseBye() {
	bye, err := zmtp.ParseBye(data(zmtp.AppendBye(nil, zmtp.ByeReceiving)))
	fmt.Println(bye == zmtp.ByeReceiving, err)
	// Output: true <nil>
}

func ExampleParseDurableSubscribe() {
	sent := zmtp.DurableSubscription{Start: zmtp.StartEarliest, Name: "audit", Topic: []byte("orders.")}
	d, err := zmtp.ParseDurableSubscribe(data(zmtp.AppendDurableSubscribe(nil, &sent)))
	fmt.Printf("%s from %v: %q %v\n", d.Name, d.Start, d.Topic, err)
	// Output: audit from 1: "orders." <nil>
}
