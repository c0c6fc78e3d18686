package socket_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/yodel-mq/yodel/socket"
)

// leave sends all that is given, says that it is all, and returns when the other side has read it and closed in turn.
func (r *raw) leave(parts ...[]byte) error {
	if _, err := r.Write(bytes.Join(parts, nil)); err != nil {
		return err
	}
	if err := r.Conn.(*net.TCPConn).CloseWrite(); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, r)
	return err
}

// TestPeersThatComeAgainShareAMark: a peer that connects, leaves as much as the mark allows unread and comes again
// does not make the socket hold more than two marks while nobody receives, and nothing of what it has sent is lost.
func TestPeersThatComeAgainShareAMark(t *testing.T) {
	const (
		mark  = 1 << 20
		peers = 20
		each  = 400
		size  = 2000
	)
	pull := closing(t, socket.NewPull(socket.WithRecvHWMBytes(mark)))
	at := bind(t, pull, "tcp://127.0.0.1:*")
	come := func(i int) (*raw, []byte) {
		r := rawDial(t, at)
		r.shake("PUSH")
		all := make([][]byte, each)
		for k := range all {
			all[k] = messageOf(fmt.Sprintf("%2d %3d %s", i, k, strings.Repeat("x", size-7)))
		}
		return r, bytes.Join(all, nil)
	}
	for i := range 2 { // come to the mark together
		r, all := come(i)
		must(t, r.leave(all))
		eventWhere(t, pull, "the end of "+r.name(), func(ev socket.Event) bool { return isEnd(ev, r.name()) })
	}
	left := make(chan error, peers)
	for i := 2; i < peers; i++ {
		r, all := come(i)
		go func() { left <- r.leave(all) }()
	}
	waitPeers(t, pull, peers-2)
	next := [peers]int{}
	for n := range peers * each {
		if got := pull.Stats().Unread.Bytes; n < each/2 && got > 2*mark {
			t.Fatalf("%d bytes unread after %d messages, the mark is %d", got, n, mark)
		}
		var i, k int
		_, err := fmt.Sscanf(string(recv(t, pull).Frames[0][:6]), "%d %d", &i, &k)
		must(t, err)
		if k != next[i] {
			t.Fatalf("message %d of peer %d came where %d was due", k, i, next[i])
		}
		next[i]++
		if i >= 2 && n < each/2 {
			t.Fatalf("a peer that had come late was read while others had left %d messages", 2*each-n)
		}
	}
	for range peers - 2 {
		must(t, <-left)
	}
}

// TestPeersThatAreThereAreReadOn: what others have left behind does not stop a peer that was there before.
func TestPeersThatAreThereAreReadOn(t *testing.T) {
	pull := closing(t, socket.NewPull(socket.WithRecvHWMBytes(10_000)))
	at := bind(t, pull, "tcp://127.0.0.1:*")
	good := closing(t, socket.NewPush())
	connect(t, good, at)
	waitPeers(t, pull, 1)
	r := rawDial(t, at)
	r.shake("PUSH")
	small := messageOf(strings.Repeat("x", 1000))
	must(t, r.leave(bytes.Repeat(small, 9), messageOf(strings.Repeat("x", 9000))))
	eventWhere(t, pull, "the end of "+r.name(), func(ev socket.Event) bool { return isEnd(ev, r.name()) })

	send(t, good, "good")
	waitUnread(t, pull, 11)
	late := closing(t, socket.NewPush())
	connect(t, late, at)
	waitPeers(t, late, 1)
	send(t, late, "late")
	var got []string
	for range 12 {
		got = append(got, string(recv(t, pull).Frames[0][:4]))
	}
	if g, l := slices.Index(got, "good"), slices.Index(got, "late"); g < 0 || g > 1 || l < 0 {
		t.Errorf("received %q; want the good peer's in the first or second place, and the late one's", got)
	}
}

// TestGonePeerCostsItsMessage: a message of four bytes that nobody has received does not keep the connection it came
// by.
func TestGonePeerCostsItsMessage(t *testing.T) {
	const peers, most = 1000, 21 << 7
	for name, endpoint := range transports(t) {
		t.Run(name, func(t *testing.T) {
			pull := closing(t, socket.NewPull())
			at := bind(t, pull, endpoint)
			ctx := within(t)
			come := func() {
				push := socket.NewPush()
				must(t, push.Connect(at))
				must(t, push.Send(ctx, socket.Text("four")))
				must(t, push.Shutdown(ctx))
			}
			come()
			waitUnread(t, pull, 1)
			heap := heapNow()
			for range peers {
				come()
			}
			waitUnread(t, pull, peers+1)
			waitUntil(t, "all peers have gone", func() bool { return len(pull.Stats().Peers) == 0 })
			if each := int64(heapNow()-heap) / peers; each > most {
				t.Errorf("%d bytes held for each peer that has gone, want at most %d", each, most)
			}
			for range peers + 1 {
				_, err := pull.Recv(ctx)
				must(t, err)
			}
		})
	}
}

// TestDepartedPeersMessages: what a role makes of a message does not depend on whether its peer is there still.
func TestDepartedPeersMessages(t *testing.T) {
	gone := func(t *testing.T, s anyRole, r *raw, messages ...[]byte) {
		t.Helper()
		must(t, r.leave(messages...))
		waitUntil(t, "the peer has gone", func() bool { return len(s.Stats().Peers) == 0 })
	}
	t.Run("REP", func(t *testing.T) {
		s, r := rawTo(t, "REP")
		rep := s.(*socket.Rep)
		gone(t, s, r, messageOf("", "one"), messageOf("", "two"))
		for _, want := range []string{"one", "two"} {
			expect(t, rep, want)
			err := rep.Send(within(t), socket.Text("reply"))
			var pe *socket.PeerError
			if !errors.Is(err, socket.ErrPeerLost) || !errors.As(err, &pe) || pe.Peer.Address != r.name() {
				t.Errorf("the reply: %v, want ErrPeerLost and the peer %s", err, r.name())
			}
		}
	})
	t.Run("ROUTER", func(t *testing.T) {
		s, r := rawTo(t, "ROUTER")
		router := s.(*socket.Router)
		gone(t, s, r, messageOf("one"), messageOf("two"))
		first := recv(t, router)
		if len(first.Frames) != 2 || len(first.Frames[0]) == 0 || string(first.Frames[1]) != "one" {
			t.Errorf("received %s, want the identity and one", first)
		}
		expect(t, router, string(first.Frames[0]), "two")
	})
	t.Run("REQ", func(t *testing.T) {
		s, r := rawTo(t, "REQ")
		req := s.(*socket.Req)
		send(t, req, "question")
		envelope := r.message()
		gone(t, s, r, messageOf(envelope[0], "", "answer"))
		expect(t, req, "answer")
	})
	t.Run("REQ, a stale reply", func(t *testing.T) {
		s, r := rawTo(t, "REQ")
		req := s.(*socket.Req)
		send(t, req, "question")
		r.message()
		gone(t, s, r, messageOf("none", "", "answer"))
		if _, err := req.Recv(within(t)); !errors.Is(err, socket.ErrPeerLost) {
			t.Errorf("Recv: %v, want ErrPeerLost", err)
		}
	})
	t.Run("prefetched", func(t *testing.T) {
		s, r := rawTo(t, "PULL")
		pull := s.(*socket.Pull)
		var all []byte
		for i := range 300 {
			all = append(all, messageOf(fmt.Sprint(i))...)
		}
		r.send(all)
		waitUnread(t, s, 300)
		for i := range 20 {
			expect(t, pull, fmt.Sprint(i))
		}
		gone(t, s, r)
		for i := 20; i < 300; i++ {
			expect(t, pull, fmt.Sprint(i))
		}
		nothing(t, pull)
	})
	t.Run("closed before anybody received", func(t *testing.T) {
		s, r := rawTo(t, "PULL")
		gone(t, s, r, messageOf("one"), messageOf("two"))
		must(t, s.Close())
		if n := s.Stats().Discarded[socket.SocketClosed].Messages; n != 2 {
			t.Errorf("%d messages discarded, want 2: %v", n, s.Stats().Ledger)
		}
	})
}

// TestFramesWeigh: messages of many empty frames reach a mark in bytes, on the way in and out, over inproc and while
// nobody is connected.
func TestFramesWeigh(t *testing.T) {
	const frames, mark = 1024, 1 << 20
	m := func() socket.Msg { return socket.NewMsg(make([][]byte, frames)...) }
	full := func(t *testing.T, s interface{ TrySend(socket.Msg) error }) (n int) {
		t.Helper()
		for ; ; n++ {
			switch err := s.TrySend(m()); {
			case errors.Is(err, socket.ErrWouldBlock):
				return n
			case err != nil || n > 1<<20:
				t.Fatalf("after %d messages: %v", n, err)
			}
		}
	}
	unlimited := []socket.Option{
		socket.WithSendHWM(0), socket.WithRecvHWM(0),
		socket.WithSendHWMBytes(mark), socket.WithRecvHWMBytes(mark),
	}
	t.Run("before there is a peer", func(t *testing.T) {
		push := closing(t, socket.NewPush(append(as[socket.PushOption](unlimited), socket.WithLinger(0))...))
		connect(t, push, unused(t, "tcp://"))
		if n := full(t, push); n != mark/(32*frames) {
			t.Errorf("took %d messages of %d empty frames, want %d", n, frames, mark/(32*frames))
		}
	})
	t.Run("inproc", func(t *testing.T) {
		pull := closing(t, socket.NewPull(as[socket.PullOption](unlimited)...))
		push := closing(t, socket.NewPush(as[socket.PushOption](unlimited)...))
		link(t, pull, push, "inproc://"+t.Name())
		if n := full(t, push); n != 2*mark/(32*frames) {
			t.Errorf("took %d messages of %d empty frames, want %d", n, frames, 2*mark/(32*frames))
		}
	})
	t.Run("the way in", func(t *testing.T) {
		s, r := rawTo(t, "PULL", unlimited...)
		const sent = 300
		one := append(bytes.Repeat([]byte{1, 0}, frames-1), 0, 0)
		done := make(chan error, 1)
		go func() { done <- r.leave(bytes.Repeat(one, sent)) }()
		const most = mark / (32 * frames)
		for range sent {
			if _, err := s.(*socket.Pull).Recv(within(t)); err != nil {
				t.Fatal(err)
			}
			if n := s.Stats().Unread.Messages; n > most {
				t.Fatalf("%d messages of %d empty frames unread, want at most %d", n, frames, most)
			}
		}
		must(t, <-done)
	})
	t.Run("the way out", func(t *testing.T) {
		const mark = 64 << 10
		push := socket.NewPush(socket.WithSendHWM(0), socket.WithSendHWMBytes(mark), socket.WithLinger(0))
		defer shut(t, push)
		at := bind(t, push, "tcp://127.0.0.1:*")
		r := rawDial(t, at)
		r.shake("PULL")
		waitPeers(t, push, 1)
		var queued uint64
		for range 3 { // what the kernel takes is a matter of time
			full(t, push)
			queued = push.Stats().Queued.Messages
		}
		if most := uint64(mark/(2*frames) + 1); queued > most {
			t.Errorf("%d messages of %d empty frames are queued, want at most %d", queued, frames, most)
		}
	})
}
