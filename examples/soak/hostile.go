package main

import (
	"context"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// What strangers do to a bound socket. None of it is a message to a program, but for what deaf ones send and what
// garbage happens to be.
const (
	floodPing      = "ping"      // PINGs, as many as go
	floodTopics    = "topics"    // SUBSCRIBE and CANCEL
	floodGarbage   = "garbage"   // bytes that are not ZMTP, as a greeting and after it
	floodHalfOpen  = "half-open" // a greeting, or a part of it, and then nothing
	floodConnect   = "connect"   // connections that are closed at once
	floodClaims    = "claims"    // frames of a gigabyte, of which a few bytes come
	floodDeaf      = "deaf"      // a peer that asks, or subscribes to everything, and does not read
	strangersCount = 6
)

// peerOf is a type that a role accepts.
var peerOf = map[string]zmtp.SocketType{
	rolePush: "PULL", rolePull: "PUSH", rolePub: "SUB", roleSub: "PUB", roleReq: "REP", roleRep: "REQ",
	roleDealer: "DEALER", roleRouter: "DEALER", rolePair: "PAIR", roleXPub: "SUB", roleXSub: "PUB",
}

// flood attacks an address for a while with a few connections at once.
func flood(ctx context.Context, network, address, role, how string, d time.Duration, seed uint64) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var all sync.WaitGroup
	for i := range strangersCount {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		all.Go(func() {
			for ctx.Err() == nil {
				attack(ctx, network, address, role, how, r)
				pause(ctx, time.Millisecond)
			}
		})
	}
	all.Wait()
}

// attack does one connection's worth of it.
func attack(ctx context.Context, network, address, role, how string, r *rand.Rand) {
	var d net.Dialer
	c, err := d.DialContext(ctx, network, address)
	if err != nil {
		pause(ctx, 20*time.Millisecond)
		return
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	switch how {
	case floodConnect:
		return
	case floodHalfOpen:
		_, _ = c.Write(zmtp.AppendGreeting(nil, zmtp.Greeting{})[:1+r.IntN(zmtp.GreetingSize)])
		drain(ctx, c)
		return
	case floodGarbage:
		b := make([]byte, 4096)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		if r.IntN(2) == 0 {
			b = append(hello(role), b...)
		}
		_, _ = c.Write(b)
		return
	}
	if _, err := c.Write(hello(role)); err != nil {
		return
	}
	if how == floodDeaf {
		deaf(ctx, c, role)
		return
	}
	go drain(ctx, c) // ends with the connection
	burst := burstOf(how)
	for ctx.Err() == nil {
		if _, err := c.Write(burst); err != nil || how == floodClaims {
			pause(ctx, 50*time.Millisecond)
			return
		}
	}
}

// hello is a greeting and a READY.
func hello(role string) []byte {
	b := zmtp.AppendGreeting(nil, zmtp.Greeting{})
	return zmtp.AppendReady(b, zmtp.Metadata{{Name: zmtp.PropertySocketType, Value: []byte(peerOf[role])}})
}

// burstOf is what is written again and again.
func burstOf(how string) (b []byte) {
	v31 := zmtp.Version{Major: 3, Minor: 1}
	for i := range 64 {
		switch how {
		case floodPing:
			b = zmtp.AppendPing(b, time.Second, nil)
		case floodTopics:
			topic := []byte{'x', byte(i)}
			b = zmtp.AppendCancel(zmtp.AppendSubscribe(b, v31, topic), v31, topic)
		}
	}
	if how == floodClaims {
		b = append(zmtp.AppendHeader(b, 0, 1<<30), "a few bytes"...)
	}
	return b
}

// deaf asks, or subscribes, and reads nothing.
func deaf(ctx context.Context, c net.Conn, role string) {
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetReadBuffer(2048) // as little as the kernel allows
	}
	b := zmtp.AppendSubscribe(nil, zmtp.Version{Major: 3, Minor: 1}, nil)
	if role == roleRep || role == roleRouter {
		b = append(zmtp.AppendHeader(nil, zmtp.FlagMore, 0), zmtp.AppendHeader(nil, 0, 4096)...)
		b = append(b, make([]byte, 4096)...)
	}
	for ctx.Err() == nil {
		if _, err := c.Write(b); err != nil {
			return
		}
		if role != roleRep && role != roleRouter {
			break
		}
	}
	<-ctx.Done()
}

// drain reads until the end.
func drain(ctx context.Context, c net.Conn) {
	b := make([]byte, 32<<10)
	for ctx.Err() == nil {
		if _, err := c.Read(b); err != nil {
			return
		}
	}
}
