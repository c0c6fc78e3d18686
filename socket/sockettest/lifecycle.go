package sockettest

import (
	"fmt"
	"slices"
	"time"
)

// lifecycle is how sockets and connections come and go.
func lifecycle() []behaviour {
	return []behaviour{
		{name: "actual-endpoint", needs: []Capability{Unbinding, CallContext}, run: func(p *pairing) {
			push, pull := p.local("PUSH"), p.remote("PULL")
			at := p.link(push, pull) // what Bind returned can be connected to
			push.send("x")
			pull.expect("x")
			push.must(push.Unbind(at), "unbind "+at) // and unbound
			p.until("the connection has gone", func() bool { return push.try(moment, "nobody") != nil })
			if err := push.Unbind(at); err == nil {
				p.Errorf("%s was unbound twice", at)
			}
			push.rebind(at)
			push.send("y")
			pull.drain("y")
		}},
		{name: "endpoint-taken", run: func(p *pairing) {
			first, second := p.local("PULL"), p.local("PULL")
			at := first.bind()
			if _, err := second.Bind(p.soon(), at); err == nil {
				p.Fatalf("two sockets are bound to %s", at)
			}
			push := p.remote("PUSH")
			push.connect(at)
			push.send("x")
			first.expect("x")
		}},
		{name: "disconnect", needs: []Capability{Unbinding, CallContext}, run: func(p *pairing) {
			push, pull := p.local("PUSH"), p.remote("PULL")
			at := p.link(pull, push)
			push.send("x")
			pull.expect("x")
			push.must(push.Disconnect(at), "disconnect "+at)
			p.until("the connection has gone", func() bool { return push.try(moment, "nobody") != nil })
			if err := push.Disconnect(at); err == nil {
				p.Errorf("%s was disconnected twice", at)
			}
			push.connect(at)
			push.send("y")
			pull.drain("y")
		}},
		{name: "bound-peer-restarts", run: func(p *pairing) {
			// The socket that connects comes back by itself, and its application sees no error in between.
			pull, push := p.local("PULL"), p.remote("PUSH")
			at := push.bind()
			pull.connect(at)
			for i := range 5 {
				push.send(fmt.Sprint(i))
				pull.expect(fmt.Sprint(i))
				push.close()
				push = p.remote("PUSH")
				push.rebind(at)
			}
			push.send("end")
			pull.expect("end")
		}},
		{name: "sender-comes-back", needs: []Capability{CallContext}, run: func(p *pairing) {
			push, pull := p.local("PUSH"), p.remote("PULL")
			at := pull.bind()
			push.connect(at)
			push.send("before")
			pull.expect("before")
			pull.close()
			push.peers(0)
			p.abreast(func() {
				for i := range 5 {
					push.send("meanwhile", fmt.Sprint(i))
				}
			}, func() {
				pull = p.remote("PULL")
				pull.rebind(at)
				for i := range 5 {
					pull.expect("meanwhile", fmt.Sprint(i))
				}
			})
		}},
		{name: "connecting-peers-come-and-go", run: func(p *pairing) {
			pull := p.local("PULL")
			at := pull.bind()
			for i := range 20 {
				push := p.remote("PUSH")
				push.connect(at)
				push.send(fmt.Sprint(i))
				pull.expect(fmt.Sprint(i))
				push.close()
			}
		}},
		{name: "peer-that-leaves-is-no-error", needs: []Capability{PeerCount}, run: func(p *pairing) {
			for _, roles := range [][2]string{
				{"PULL", "PUSH"}, {"SUB", "PUB"}, {"DEALER", "DEALER"}, {"PAIR", "PAIR"}, {"REP", "REQ"}, {"ROUTER", "DEALER"},
			} {
				local, remote := p.local(roles[0]), p.remote(roles[1])
				p.link(local, remote)
				remote.close()
				local.peers(0)
				if m, err := local.take(moment); err == nil || p.soon().Err() != nil {
					p.Errorf("%s received %s when its peer left", local.who, show(m))
				}
				local.close()
			}
		}},
		{name: "wrong-peer-then-right-peer", run: wrongPeer},
		{name: "close-ends-recv", needs: []Capability{CloseWakes}, run: func(p *pairing) {
			for _, role := range []string{"PULL", "SUB", "REP", "DEALER", "ROUTER", "PAIR", "XPUB", "XSUB"} {
				closeEnds(p, role, func(e *end) error { _, err := e.Recv(p.soon()); return err })
			}
		}},
		{name: "close-ends-send", needs: []Capability{CloseWakes}, run: func(p *pairing) {
			for _, role := range []string{"PUSH", "REQ", "DEALER", "PAIR"} {
				closeEnds(p, role, func(e *end) error { return e.Send(p.soon(), asBytes([]string{"x"})) })
			}
		}},
		{name: "closed-is-closed", run: func(p *pairing) {
			pull, push := p.local("PULL"), p.local("PUSH")
			for _, e := range []*end{pull, push} {
				at := e.bind()
				e.close()
				if err := e.Connect(at); err == nil {
					p.Errorf("%s: connect on a closed socket succeeded", e.who)
				}
				if err := e.Close(); err != nil {
					p.Errorf("%s: to close again: %v", e.who, err)
				}
			}
			if _, err := pull.take(p.patience); err == nil || p.Context().Err() != nil {
				p.Errorf("receive on a closed socket: %v", err)
			}
			if err := push.try(p.patience, "x"); err == nil {
				p.Errorf("send on a closed socket succeeded")
			}
		}},
		{name: "close-with-unread-messages", run: func(p *pairing) {
			pull, push := p.local("PULL"), p.remote("PUSH")
			p.link(pull, push)
			for i := range 50 {
				push.send(fmt.Sprint(i))
			}
			pull.expect("0")
			start := time.Now()
			pull.close()
			if took := time.Since(start); took > p.patience/2 {
				p.Errorf("close took %v", took)
			}
		}},
		{name: "open-and-close", needs: []Capability{ManyGoroutines}, run: func(p *pairing) {
			// Many sockets at once, in every order of connecting, sending and closing.
			pull := p.local("PULL")
			at := pull.bind()
			const goroutines, rounds = 8, 10
			fs := make([]func(), goroutines)
			for g := range fs {
				fs[g] = func() {
					for i := range rounds {
						push := p.local("PUSH")
						push.connect(at)
						if (i+g)%3 == 0 {
							push.send("x")
						}
						push.close()
					}
				}
			}
			p.abreast(fs...)
			push := p.local("PUSH")
			push.connect(at)
			push.send("end")
			pull.drain("end")
		}},
	}
}

// closeEnds closes a socket while a call waits.
func closeEnds(p *pairing, role string, call func(e *end) error) {
	p.Helper()
	e := p.local(role)
	e.bind()
	waiting, done := make(chan struct{}), make(chan error, 1)
	go func() {
		close(waiting)
		done <- call(e)
	}()
	<-waiting
	e.close()
	select {
	case err := <-done:
		if err == nil || p.soon().Err() != nil {
			p.Errorf("%s: the call that waited returned %v, want an error", e.who, err)
		}
	case <-p.soon().Done():
		p.Errorf("%s: the call still waits after Close", e.who)
	}
}

// wrongPeer has a peer of the wrong role connect to each role, and then one of the right role.
func wrongPeer(p *pairing) {
	for _, c := range []struct{ role, wrong, right string }{
		{"PUSH", "PUB", "PULL"},
		{"PULL", "SUB", "PUSH"},
		{"PUB", "PULL", "SUB"},
		{"SUB", "PUSH", "PUB"},
		{"REQ", "DEALER", "REP"},
		{"REP", "PUSH", "REQ"},
		{"DEALER", "REQ", "DEALER"},
		{"ROUTER", "REP", "DEALER"},
		{"PAIR", "DEALER", "PAIR"},
		{"XPUB", "REQ", "XSUB"},
		{"XSUB", "PAIR", "XPUB"},
	} {
		local, wrong, right := p.local(c.role), p.remote(c.wrong), p.remote(c.right)
		at := local.bind()
		wrong.connect(at)
		right.connect(at)
		exchange(local, right, c.role)
		local.close()
	}
}

// exchange moves one message in the way of the local side's role.
func exchange(local, remote *end, role string) {
	local.p.Helper()
	switch role {
	case "PUSH":
		local.send("x")
		remote.expect("x")
	case "PULL", "DEALER", "PAIR":
		remote.send("x")
		local.expect("x")
	case "PUB":
		remote.subscribe("A")
		synced(local, "A", remote)
	case "SUB":
		local.subscribe("A")
		synced(remote, "A", local)
	case "XPUB":
		remote.send("\x01A")
		local.expect("\x01A")
		local.send("A")
		remote.expect("A")
	case "XSUB":
		local.send("\x01A")
		local.p.until("the publisher hears of the subscription", func() bool {
			_, _ = local.take(time.Millisecond) // some look after new peers only while they are called
			m, err := remote.take(moment)
			return err == nil && slices.Equal(m, []string{"\x01A"})
		})
		remote.send("A")
		local.expect("A")
	case "REQ":
		local.send("x")
		remote.expect("x")
		remote.send("y")
		local.expect("y")
	case "REP":
		remote.send("x")
		local.expect("x")
		local.send("y")
		remote.expect("y")
	case "ROUTER":
		remote.send("x")
		m := local.recv()
		local.send(m[0], "y")
		remote.expect("y")
	}
}
