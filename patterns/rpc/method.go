package rpc

import "context"

// A Method is the name of a method with its types, so that one line says what both sides agree on:
//
//	const Add rpc.Method[AddRequest, Sum] = "add"
type Method[Req, Resp any] string

// Handle is [Handle] for this method.
func (m Method[Req, Resp]) Handle(s *Service, h func(context.Context, Req) (Resp, error)) {
	Handle(s, string(m), h)
}

// Call is [Call] of this method.
func (m Method[Req, Resp]) Call(ctx context.Context, c *Client, req Req, opts ...CallOption) (Resp, error) {
	return Call[Resp](ctx, c, string(m), req, opts...)
}
