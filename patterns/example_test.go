package patterns_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/yodel-mq/yodel/patterns"
)

type Order struct {
	ID    int      `json:"id"`
	Items []string `json:"items"`
}

func ExampleMsgpack() {
	codec := patterns.Msgpack(patterns.Limits{Memory: 1 << 20})
	body, err := codec.Append(nil, Order{7, []string{"pen"}})
	fmt.Printf("%x %v\n", body, err)

	var order Order
	fmt.Println(codec.Decode(body, &order), order)

	// An array of four billion, it says.
	fmt.Println(codec.Decode([]byte("\xdd\xff\xff\xff\xff"), &order))
	// Output:
	// 82a2696407a56974656d7391a370656e <nil>
	// <nil> {7 [pen]}
	// patterns: msgpack: byte 0: array of 4294967295, but 0 bytes are left for 4294967295 values
}

func ExampleJSON() {
	body, err := patterns.JSON().Append(nil, Order{7, []string{"pen"}})
	fmt.Println(string(body), err)
	// Output: {"id":7,"items":["pen"]} <nil>
}

func ExampleBytes() {
	body, err := patterns.Bytes().Append(nil, "as it is")
	fmt.Println(string(body), err)
	_, err = patterns.Bytes().Append(nil, Order{})
	fmt.Println(err)
	// Output:
	// as it is <nil>
	// patterns: bytes: patterns_test.Order is neither []byte nor string
}

// A body is decoded once it is known what it is.
func ExampleDecode() {
	for _, raw := range []patterns.Raw{
		{Type: "json", Data: []byte(`{"id":7}`)},
		{Type: "", Data: []byte("\x81\xa2id\x08")},
		{Type: "image/png"},
	} {
		order, err := patterns.Decode[Order](raw)
		fmt.Println(order.ID, err)
	}
	// Output:
	// 7 <nil>
	// 8 <nil>
	// 0 patterns: no codec for bodies of type "image/png"
}

func ExampleErrorf() {
	err := patterns.Errorf(patterns.CodeNotFound, "no order %d", 7)
	fmt.Println(err)
	fmt.Println(errors.Is(err, &patterns.Error{Code: patterns.CodeNotFound}))

	late := patterns.Errorf(patterns.CodeDeadlineExceeded, "too slow")
	fmt.Println(errors.Is(late, context.DeadlineExceeded))
	// Output:
	// not_found: no order 7
	// true
	// true
}

func ExampleWithHeaders() {
	ctx := patterns.WithHeaders(context.Background(), patterns.Headers{"tenant": "blue"})
	ctx = patterns.WithHeaders(ctx, patterns.Headers{"priority": "low"})
	fmt.Println(patterns.HeadersFrom(ctx))
	// Output: map[priority:low tenant:blue]
}

// A propagator of OpenTelemetry sets what it has to say.
func ExampleHeadersFrom() {
	ctx := context.Background()
	h := patterns.HeadersFrom(ctx)
	h.Set("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	ctx = patterns.WithHeaders(ctx, h)
	fmt.Println(patterns.HeadersFrom(ctx).Get("traceparent"))
	// Output: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
}

func ExampleHead() {
	h := patterns.Head{Method: "orders.create", Left: 5 * time.Second}
	fmt.Printf("%x\n", h.AppendTo(nil))
	// Output: 82a16dad6f72646572732e637265617465a164cd1388
}

func ExampleParseHead() {
	h, err := patterns.ParseHead([]byte("\x82\xa1e\xa9not_found\xa1t\xadno such order"))
	fmt.Println(h.Kind, h.Code, h.Text, err)
	_, err = patterns.ParseHead([]byte("\x81\xa1k\xa4text"))
	fmt.Println(errors.Is(err, patterns.ErrHead), err)
	// Output:
	// message not_found no such order <nil>
	// true patterns: not a valid head: byte 4: a4 where a number should be that is not negative
}
