package main

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"time"

	"connectrpc.com/connect"
)

// connectLibrary is connect-go with its own protocol: over HTTP/2 without TLS, or over HTTP/1.1 with as many
// connections as there are callers, all kept.
func connectLibrary(http2 bool) *library {
	return &library{
		serve: serveConnect,
		dial:  func(_ context.Context, j job) (client, error) { return dialConnect(j, http2), nil },
	}
}

const connectPath = "/bench.Bench/"

type blob struct{ data []byte }

// A connectCodec passes bytes on. Connect uses the memory again, of what is encoded and of what is to be decoded.
type connectCodec struct{}

func (connectCodec) Name() string { return "bytes" }

func (connectCodec) Marshal(v any) ([]byte, error) { return bytes.Clone(v.(*blob).data), nil }

func (connectCodec) Unmarshal(data []byte, v any) error {
	v.(*blob).data = bytes.Clone(data)
	return nil
}

type connectService struct {
	s    *http.Server
	at   string
	done chan error
}

func serveConnect(ctx context.Context, j job, m methods) (service, error) {
	nc, err := new(net.ListenConfig).Listen(ctx, "tcp", strings.TrimPrefix(j.Endpoint, "tcp://"))
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	for name, h := range m.calls {
		mux.Handle(connectPath+name, connect.NewUnaryHandler(connectPath+name,
			func(ctx context.Context, r *connect.Request[blob]) (*connect.Response[blob], error) {
				out, err := h(ctx, r.Msg.data)
				return connect.NewResponse(&blob{out}), err
			}, connect.WithCodec(connectCodec{})))
	}
	s := &connectService{
		&http.Server{Handler: mux, Protocols: new(http.Protocols), ReadHeaderTimeout: time.Minute},
		"http://" + nc.Addr().String(), make(chan error, 1),
	}
	s.s.Protocols.SetHTTP1(true)
	s.s.Protocols.SetUnencryptedHTTP2(true)
	go func() { s.done <- s.s.Serve(nc) }()
	return s, nil
}

func (s *connectService) Endpoint() string { return s.at }

func (s *connectService) Close() error {
	if err := s.s.Close(); err != nil {
		return err
	}
	if err := <-s.done; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

type connectClient struct {
	transport *http.Transport
	echo      *connect.Client[blob, blob]
}

func dialConnect(j job, http2 bool) *connectClient {
	c := &connectClient{transport: &http.Transport{Protocols: new(http.Protocols), MaxIdleConnsPerHost: j.Sockets}}
	c.transport.Protocols.SetHTTP1(!http2)
	c.transport.Protocols.SetUnencryptedHTTP2(http2)
	c.echo = connect.NewClient[blob, blob](&http.Client{Transport: c.transport}, j.Endpoint+connectPath+"echo",
		connect.WithCodec(connectCodec{}))
	return c
}

// Call calls the one method that is asked of this library.
func (c *connectClient) Call(ctx context.Context, _ string, body []byte) ([]byte, error) {
	reply, err := c.echo.CallUnary(ctx, connect.NewRequest(&blob{body}))
	if err != nil {
		return nil, err
	}
	return reply.Msg.data, nil
}

func (c *connectClient) Close() error {
	c.transport.CloseIdleConnections()
	return nil
}
