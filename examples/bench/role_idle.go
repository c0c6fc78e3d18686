package main

import (
	"context"
	"io"
	"net"
	"strings"
	"time"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// idle listens; when its peers are there it tells how its memory has grown, and its CPU over so many seconds of doing
// nothing but sending PINGs and hearing the answers.
func idle(ctx context.Context, c *console, open opener, j job) error {
	s, err := open(ctx, "idle", j)
	if err != nil {
		return err
	}
	before, err := memory()
	if err != nil {
		return err
	}
	if err := c.say("ready", s.Endpoint()); err != nil {
		return err
	}
	if err := c.wait(ctx); err != nil {
		return err
	}
	after, err := memory()
	if err != nil {
		return err
	}
	used, begin := spent(), time.Now()
	select {
	case <-time.After(time.Duration(j.Count) * time.Second):
	case <-ctx.Done():
		return ctx.Err()
	}
	r := used.since(0)
	return c.result(report{Memory: after - before, IdleCPU: r.CPU, Idle: time.Since(begin).Nanoseconds()})
}

// idlePeers connects the job's number of sockets that only say they are PUSH and answer PING, and keeps them until its
// input ends. They are the same for every library that listens.
func idlePeers(ctx context.Context, c *console, j job) error {
	const atOnce = 32
	address := strings.TrimPrefix(j.Endpoint, "tcp://")
	todo := make(chan struct{}, j.Sockets)
	for range j.Sockets {
		todo <- struct{}{}
	}
	close(todo)
	err := parallel(min(atOnce, j.Sockets), func(int) error {
		for range todo {
			nc, err := new(net.Dialer).DialContext(ctx, "tcp", address)
			if err != nil {
				return err
			}
			s, err := zmtp.Handshake(ctx, nc, zmtp.Config{SocketType: zmtp.Push})
			if err != nil {
				return err
			}
			go answer(nc, s.Rest)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := c.say("joined"); err != nil {
		return err
	}
	if err := c.wait(ctx); err != nil {
		return err
	}
	return c.result(report{})
}

// answer replies to PING until the connection ends. Nothing else comes to a PUSH.
func answer(nc io.ReadWriter, rest []byte) {
	buf := append(make([]byte, 0, 512), rest...)
	for {
		h, n, err := zmtp.ParseHeader(buf)
		if err != nil || h.Size > 256 {
			return
		}
		if whole := n + int(h.Size); n > 0 && len(buf) >= whole {
			if name, data, err := zmtp.ParseCommand(buf[n:whole]); err == nil && h.Flags&zmtp.FlagCommand != 0 &&
				name == "PING" {
				_, context, err := zmtp.ParsePing(data)
				if err != nil {
					return
				}
				if _, err := nc.Write(zmtp.AppendPong(nil, context)); err != nil {
					return
				}
			}
			buf = append(buf[:0], buf[whole:]...)
			continue
		}
		n, err = nc.Read(buf[len(buf):cap(buf)])
		if buf = buf[:len(buf)+n]; err != nil {
			return
		}
	}
}
