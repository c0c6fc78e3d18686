package rpc_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/patterns/rpc"
	"github.com/yodel-mq/yodel/socket"
)

// Whatever a peer of another language sends, it is answered with a code or dropped, and the service goes on.
func TestPitfall16ForeignValues(t *testing.T) {
	s := newService(t)
	rpc.Handle(s, "any", func(_ context.Context, v any) (any, error) { return v, nil })
	d := socket.NewDealer()
	defer d.Close()
	must(t, d.Connect(bind(t, s, "inproc://"+t.Name())))
	const add, anything = "\x81\xa1m\xa3add", "\x81\xa1m\xa3any"
	for _, tc := range []struct {
		name, head, body string
		code             patterns.Code // "-" if there is no answer
	}{
		{"as it should be", add, "\x82\xa1A\x01\xa1B\x02", ""},
		{"nil", add, "\xc0", ""},
		{"no body", add, "", ""},
		{"unknown fields", add, "\x82\xa1A\x01\xa3xyz\x93\x01\x02\x03", ""},
		{"unknown keys of the head", "\x82\xa1m\xa3add\xa4wxyz\x81\x01\x02", "\xc0", ""},
		{"text for a number", add, "\x81\xa1A\xa1x", patterns.CodeInvalidArgument},
		{"an array for a struct", add, "\x92\x01\x02", ""},
		{"four billion elements", add, "\xdd\xff\xff\xff\xff", patterns.CodeInvalidArgument},
		{"bytes behind it", add, "\xc0\xc0", patterns.CodeInvalidArgument},
		{"nested too deeply", anything, strings.Repeat("\x91", 100) + "\xc0", patterns.CodeInvalidArgument},
		{"huge number", anything, "\xcf\xff\xff\xff\xff\xff\xff\xff\xff", ""},
		{"unknown type of body", "\x82\xa1m\xa3add\xa1c\xa3xml", "x", patterns.CodeInvalidArgument},
		{"json", "\x82\xa1m\xa3add\xa1c\xa4json", `{"A": 1000, "Z": null}`, ""},
		{"no method", "\x80", "\xc0", patterns.CodeUnimplemented},
		{"a later version", "\x82\xa1m\xa3add\xa1v\x02", "\xc0", patterns.CodeUnimplemented},
		{"no head", "", "", patterns.CodeInvalidArgument},
		{"a head that is none", "\x91\x01", "\xc0", patterns.CodeInvalidArgument},
		{"a deadline beyond all time", "\x82\xa1m\xa3add\xa1d\xcf\xff\xff\xff\xff\xff\xff\xff\xff", "\xc0", ""},
		{"an item of nothing", "\x81\xa1k\x01", "\xc0", "-"},
		{"a kind that is none", "\x81\xa1k\x63", "\xc0", "-"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			stray := s.Stats().Stray
			must(t, d.Send(within(t), socket.Text("id", "", tc.head, tc.body)))
			if tc.code == "-" {
				_, err := rpc.Call[any](within(t), linkedTo(t, s), "any", 1) // by when it has come
				must(t, err)
				for s.Stats().Stray == stray {
				}
				return
			}
			m, err := d.Recv(within(t))
			must(t, err)
			head, err := patterns.ParseHead(m.Frames[2])
			must(t, err)
			is(t, "code of "+head.Text, head.Code, tc.code)
		})
	}
	for _, frames := range [][]string{{"id"}, {""}, {"id", ""}, {"id", "", add, "\xc0", "more"}} {
		stray := s.Stats().Stray
		must(t, d.Send(within(t), socket.Text(frames...)))
		for s.Stats().Stray == stray {
		}
	}
}

func linkedTo(t testing.TB, s *rpc.Service) *rpc.Client {
	t.Helper()
	c := newClient(t)
	must(t, c.Connect(s.Endpoints()[0]))
	return c
}

// Every type goes as a request and as a reply.
func TestPitfall18ZeroValues(t *testing.T) {
	s := newService(t, nil, rpc.WithCodec(nil), rpc.WithMiddleware(nil), rpc.WithLogger(nil), rpc.WithRouter(nil),
		rpc.WithConcurrency(-1), rpc.WithQueue(-1, -1), rpc.WithGrace(-1), rpc.WithWindow(-1))
	c := newClient(t, nil, rpc.WithTimeout(0), rpc.WithRetryBudget(-1), rpc.WithDealer(nil))
	must(t, c.Connect(bind(t, s, "inproc://"+t.Name())))
	echoed(t, s, c, any(nil))
	echoed(t, s, c, struct{}{})
	echoed(t, s, c, "")
	echoed(t, s, c, (*sum)(nil))
	echoed(t, s, c, &sum{1})
	echoed(t, s, c, []byte(nil))
	echoed(t, s, c, []byte{1})
	echoed(t, s, c, map[string]int(nil))
	echoed(t, s, c, patterns.Raw{})
	name := strings.Repeat("x", 255)
	rpc.Handle(s, name, func(context.Context, struct{}) (bool, error) { return true, nil })
	if ok, err := rpc.Call[bool](within(t), c, name, struct{}{}, nil, rpc.Attempts(-1)); err != nil || !ok {
		t.Errorf("%v, %v", ok, err)
	}
}

func echoed[T any](t *testing.T, s *rpc.Service, c *rpc.Client, v T) {
	t.Helper()
	name := fmt.Sprintf("%T %v", v, v)
	rpc.Handle(s, name[:min(len(name), 20)], func(_ context.Context, in T) (T, error) { return in, nil })
	got, err := rpc.Call[T](within(t), c, name[:min(len(name), 20)], v)
	one, two := fmt.Sprintf("%+v ", v), fmt.Sprintf("%+v ", got)
	if err != nil || one != two && one[0] != '&' && !strings.HasPrefix(one, "{Type") {
		t.Errorf("%s came back as %s, %v", one, two, err)
	}
}
