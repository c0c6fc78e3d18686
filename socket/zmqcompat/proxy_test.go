package zmqcompat_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	zmq4 "github.com/yodel-mq/yodel/socket/zmqcompat"
)

// proxied runs the original's proxy between two sockets that live as long as the test.
func proxied(t *testing.T, front, back, capture zmq4.Socket) *zmq4.Proxy {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	p := zmq4.NewProxy(ctx, front, back, capture)
	t.Cleanup(func() {
		cancel()
		_ = front.Close() // unblocks the proxy, which then sees that its context has ended
		_ = back.Close()
		if err := p.Run(); err == nil {
			t.Error("the proxy ended before its context")
		}
	})
	return p
}

// TestProxyPipeline goes PUSH → PULL/PUSH proxy → PULL, with a capture, and the other way about.
func TestProxyPipeline(t *testing.T) {
	for name, turned := range map[string]bool{"PULL in front": false, "PUSH in front": true} {
		t.Run(name, func(t *testing.T) {
			in, out, capt := ours(zmq4.Pull)(t), ours(zmq4.Push)(t), ours(zmq4.Push)(t)
			source, sink, witness := ours(zmq4.Push)(t), ours(zmq4.Pull)(t), ours(zmq4.Pull)(t)
			dial(t, source, listen(t, in))
			dial(t, sink, listen(t, out))
			dial(t, witness, listen(t, capt))
			if turned {
				proxied(t, out, in, capt)
			} else {
				proxied(t, in, out, capt)
			}
			for i := range 20 {
				send(t, source, fmt.Sprint(i), "", "body")
			}
			for i := range 20 {
				wantFrames(t, sink, fmt.Sprint(i), "", "body")
				wantFrames(t, witness, fmt.Sprint(i), "", "body")
			}
		})
	}
}

// TestProxyRequests goes REQ → ROUTER/DEALER proxy → two REPs and back, each side ours or the original's.
func TestProxyRequests(t *testing.T) {
	kinds := map[string]func(zmq4.SocketType) maker{
		"ours":   func(typ zmq4.SocketType) maker { return ours(typ) },
		"theirs": func(typ zmq4.SocketType) maker { return theirs(typ) },
	}
	for name, kind := range kinds {
		t.Run(name+" outside", func(t *testing.T) {
			router, dealer := ours(zmq4.Router)(t), ours(zmq4.Dealer)(t)
			front, back := listen(t, router), listen(t, dealer)
			proxied(t, router, dealer, nil)
			for i := range 2 {
				rep := kind(zmq4.Rep)(t)
				dial(t, rep, back)
				go func() {
					for {
						m, err := rep.Recv()
						if err != nil {
							return
						}
						_ = rep.Send(zmq4.NewMsgFrom(append(m.Frames, fmt.Append(nil, "by ", i))...))
					}
				}()
			}
			check(t, zmq4.Engine(dealer).WaitPeers(t.Context(), 2))
			reqs := []zmq4.Socket{kind(zmq4.Req)(t), kind(zmq4.Req)(t)}
			for _, req := range reqs {
				dial(t, req, front)
			}
			var workers []string
			for i := range 10 {
				for j, req := range reqs {
					send(t, req, fmt.Sprint(i, j))
				}
				for j, req := range reqs {
					got := recv(t, req)
					if len(got) != 2 || got[0] != fmt.Sprint(i, j) {
						t.Fatalf("reply %q to request %d of %d", got, i, j)
					}
					workers = append(workers, got[1])
				}
			}
			slices.Sort(workers)
			if got := slices.Compact(workers); len(got) != 2 {
				t.Errorf("all requests were answered %q", got)
			}
		})
	}
}

// TestProxySubscriptions goes PUB → XSUB/XPUB proxy → SUB; subscriptions go the other way, all the way up.
func TestProxySubscriptions(t *testing.T) {
	xsub, xpub := ours(zmq4.XSub)(t), ours(zmq4.XPub)(t)
	pub, sub := ours(zmq4.Pub)(t), ours(zmq4.Sub)(t)
	dial(t, pub, listen(t, xsub))
	dial(t, sub, listen(t, xpub))
	proxied(t, xsub, xpub, nil)
	check(t, sub.SetOption(zmq4.OptionSubscribe, "a"))
	subscribed(t, pub, "a", 1)
	send(t, pub, "b", "unwanted")
	send(t, pub, "a", "wanted")
	wantFrames(t, sub, "a", "wanted")
	check(t, sub.SetOption(zmq4.OptionUnsubscribe, "a"))
	wantTopics(t, pub)
}

// TestProxyKill: Kill, and then the end of the sockets, ends Run.
func TestProxyKill(t *testing.T) {
	front, back := ours(zmq4.Router)(t), ours(zmq4.Dealer)(t)
	listen(t, front)
	listen(t, back)
	p := zmq4.NewProxy(t.Context(), front, back, nil)
	p.Kill()
	check(t, front.Close())
	check(t, back.Close())
	check(t, p.Run())
}

// TestProxyContext: one context for the sockets and the proxy ends it all.
func TestProxyContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	front, back := closing(t, zmq4.NewPull(ctx)), closing(t, zmq4.NewPush(ctx))
	listen(t, front)
	listen(t, back)
	p := zmq4.NewProxy(ctx, front, back, nil)
	cancel()
	wantErr(t, p.Run(), context.Canceled)
}
