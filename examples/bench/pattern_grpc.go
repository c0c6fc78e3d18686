package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
)

const grpcName = "bench.Bench"

func grpcRoles() map[string]role {
	l := &library{serve: serveGRPC, dial: dialGRPC}
	return l.roles(calls, idles, cancels, callsNobody, floods, consumes)
}

// A grpcCodec passes bytes on, so that no codec is measured.
type grpcCodec struct{}

func (grpcCodec) Name() string { return "bytes" }

func (grpcCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(*v.(*[]byte))}, nil
}

func (grpcCodec) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*[]byte) = data.Materialize()
	return nil
}

type grpcService struct {
	s    *grpc.Server
	at   string
	done chan error
}

func serveGRPC(ctx context.Context, j job, m methods) (service, error) {
	nc, err := new(net.ListenConfig).Listen(ctx, "tcp", strings.TrimPrefix(j.Endpoint, "tcp://"))
	if err != nil {
		return nil, err
	}
	desc := grpc.ServiceDesc{ServiceName: grpcName, HandlerType: (*any)(nil)}
	for name, h := range m.calls {
		desc.Methods = append(desc.Methods, grpc.MethodDesc{
			MethodName: name,
			Handler: func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
				var in []byte
				if err := decode(&in); err != nil {
					return nil, err
				}
				out, err := h(ctx, in)
				return &out, status.FromContextError(err).Err()
			},
		})
	}
	if m.items != nil {
		desc.Streams = append(desc.Streams, grpc.StreamDesc{
			StreamName: "items", ServerStreams: true,
			Handler: func(_ any, s grpc.ServerStream) error {
				var in []byte
				if err := s.RecvMsg(&in); err != nil {
					return err
				}
				for item, err := range m.items(s.Context()) {
					if err == nil {
						err = s.SendMsg(&item)
					}
					if err != nil {
						return err
					}
				}
				return nil
			},
		})
	}
	s := &grpcService{grpc.NewServer(grpc.ForceServerCodecV2(grpcCodec{})), nc.Addr().String(), make(chan error, 1)}
	s.s.RegisterService(&desc, nil)
	go func() { s.done <- s.s.Serve(nc) }()
	return s, nil
}

func (s *grpcService) Endpoint() string { return s.at }

func (s *grpcService) Close() error {
	s.s.Stop()
	return <-s.done
}

type grpcClient struct{ c *grpc.ClientConn }

func dialGRPC(_ context.Context, j job) (client, error) {
	c, err := grpc.NewClient("passthrough:///"+strings.TrimPrefix(j.Endpoint, "tcp://"),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(grpcCodec{})))
	return &grpcClient{c}, err
}

func (c *grpcClient) Call(ctx context.Context, method string, body []byte) (reply []byte, err error) {
	return reply, grpcError(c.c.Invoke(ctx, "/"+grpcName+"/"+method, &body, &reply))
}

// grpcError says of an error what others say.
func grpcError(err error) error {
	switch status.Code(err) {
	case codes.OK:
		return nil
	case codes.DeadlineExceeded:
		return context.DeadlineExceeded
	case codes.Canceled:
		return context.Canceled
	case codes.ResourceExhausted:
		return errRefused
	case codes.Unavailable:
		return fmt.Errorf("%w: %w", errNobody, err)
	default:
		return err
	}
}

func (c *grpcClient) Items(ctx context.Context) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		s, err := c.c.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, "/"+grpcName+"/items")
		if err == nil {
			none := []byte{}
			err = errors.Join(s.SendMsg(&none), s.CloseSend())
		}
		for err == nil {
			var item []byte
			switch err = s.RecvMsg(&item); {
			case errors.Is(err, io.EOF):
				return
			case err == nil && !yield(item, nil):
				return
			}
		}
		yield(nil, err)
	}
}

func (c *grpcClient) Close() error { return c.c.Close() }
