package socket_test

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// A node that is not accepted never learns of the connection: it would write its messages into it.
func TestConnectNodeRefusesAnotherNode(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		errStranger := errors.New("that is not who was announced")
		binds, connects := closing(t, socket.NewPush()), closing(t, socket.NewPull())
		at := bind(t, binds, endpoint)
		var asked atomic.Int32
		var open atomic.Bool
		must(t, connects.ConnectNode(at, func(node [16]byte) error {
			asked.Add(1)
			switch {
			case socket.NodeID(node) != socket.ThisNode():
				return errors.New("asked about nobody")
			case !open.Load():
				return errStranger
			}
			return nil
		}))
		e := eventWhere(t, connects, "refusal", func(e socket.Event) bool { return errors.Is(e.Err, socket.ErrWrongNode) })
		if e.Kind != socket.HandshakeFailed || !errors.Is(e.Err, errStranger) || e.Endpoint != at {
			t.Errorf("the event is %v", e)
		}
		waitUntil(t, "a second attempt", func() bool { return asked.Load() > 1 })
		ended, cancel := contextEnded()
		defer cancel()
		for e := range binds.Events(ended) {
			if e.Kind == socket.PeerUp {
				t.Errorf("the node that was refused has %v", e)
			}
		}
		open.Store(true)
		must(t, connects.WaitConnected(within(t), at))
		send(t, binds, "kept for who takes it")
		expect(t, connects, "kept for who takes it")
		balanced(t, binds)
		balanced(t, connects)
	})
}

func TestConnectNodeTakesAllWithoutAsking(t *testing.T) {
	binds, connects := closing(t, socket.NewPull()), closing(t, socket.NewPush())
	at := bind(t, binds, "tcp://127.0.0.1:0")
	must(t, connects.ConnectNode(at, nil))
	waitPeers(t, connects, 1)
	if got := connects.NodeID(); got != socket.ThisNode() {
		t.Errorf("the socket's node is %x, that of the process %v", got, socket.ThisNode())
	}
}

// What is no Yodel has no node id.
func TestConnectNodeAsksAboutOtherPeers(t *testing.T) {
	connects := closing(t, socket.NewPush())
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer ln.Close()
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			_, err = zmtp.Handshake(t.Context(), conn, zmtp.Config{SocketType: zmtp.Pull})
			if err == nil {
				t.Error("a peer that is refused was sent READY")
			}
			conn.Close()
		}
	})
	defer connects.Close()
	must(t, connects.ConnectNode("tcp://"+ln.Addr().String(), func(node [16]byte) error {
		if node != [16]byte{} {
			return nil
		}
		return errors.New("want a node")
	}))
	e := event(t, connects, socket.HandshakeFailed)
	if !errors.Is(e.Err, socket.ErrWrongNode) {
		t.Errorf("the event is %v", e)
	}
}
