package rpc

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/yodel-mq/yodel/patterns"
)

// A method is what a service does for one name.
type method struct {
	name     string
	reserved bool // one of ours, which runs whatever the load
	shape    shape
	run      runner
}

// A shape is which way a method has streams.
type shape uint8

const (
	plain  shape = iota // a request, a reply
	source              // a request, items
	sink                // items, a reply
	duplex              // items both ways
)

// replies tells which kind of message a call ends with.
func (s shape) replies() patterns.Kind {
	if s == source || s == duplex {
		return patterns.KindEnd
	}
	return patterns.KindMessage
}

// gated tells whether calls wait for their turn. A stream that lasts says nothing of how many handlers are too many.
func (m *method) gated() bool { return !m.reserved && m.shape == plain }

// A runner decodes a request, has it handled, and returns what to reply. A panic is the caller's to recover.
type runner func(ctx context.Context, r *request) (result, error)

// A request is what a method needs of a call.
type request struct {
	codec patterns.Codec
	body  []byte

	// Of a method with streams.
	codecs codecs
	stream *stream
	credit uint64 // to be given at the beginning
	send   func(ctx context.Context, head *patterns.Head, body []byte) error
}

// A result is the body of a reply, encoded as typ says.
type result struct {
	body []byte
	typ  string
}

// Names of methods.
const (
	maxMethod = 255
	ours      = "yodel."
)

// Handle makes h answer the calls of a method. It is called by as many goroutines at once as the service lets run; its
// context ends with the caller's deadline, when the caller gives up or is lost, and with Close. What it returns
// crosses: of an error that is a [*patterns.Error] all that it says, of others only that there was one
// ([WithErrorText]). If it panics, the caller gets the code internal.
//
// Handle panics for a name that is taken, empty, longer than 255 bytes, not UTF-8, that has a control character, or
// that begins with "yodel.".
func Handle[Req, Resp any](s *Service, name string, h func(context.Context, Req) (Resp, error)) {
	s.register(name, unary(h))
}

func unary[Req, Resp any](h func(context.Context, Req) (Resp, error)) runner {
	return func(ctx context.Context, r *request) (result, error) {
		req, err := decode[Req](r.codec, r.body)
		if err != nil {
			return result{}, err
		}
		resp, err := h(ctx, req)
		if err != nil {
			return result{}, err
		}
		return encodeResult(r.codec, resp)
	}
}

// decode makes a request of a body.
func decode[Req any](c patterns.Codec, body []byte) (req Req, err error) {
	if err = c.Decode(body, &req); err != nil {
		return req, patterns.Errorf(patterns.CodeInvalidArgument, "the request: %w", err)
	}
	return req, nil
}

func encodeResult(c patterns.Codec, resp any) (r result, err error) {
	if r.body, r.typ, err = encode(c, resp); err != nil {
		return result{}, patterns.Errorf(patterns.CodeInternal, "the reply: %w", err)
	}
	return r, nil
}

func (s *Service) register(name string, run runner) { s.registerStream(name, plain, run) }

func (s *Service) registerStream(name string, as shape, run runner) {
	if strings.HasPrefix(name, ours) {
		panic(fmt.Sprintf("rpc: the names of methods that begin with %q are not to be given: %q", ours, name))
	}
	s.add(&method{name: name, shape: as, run: run})
}

func (s *Service) add(m *method) {
	if err := validName(m.name); err != nil {
		panic(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.methods[m.name] != nil {
		panic(fmt.Sprintf("rpc: the method %q has a handler already", m.name))
	}
	s.methods[m.name] = m
}

func validName(name string) error {
	switch {
	case name == "":
		return errors.New("rpc: the name of a method is empty")
	case len(name) > maxMethod:
		return fmt.Errorf("rpc: the name of a method has %d bytes, over %d: %.32q…", len(name), maxMethod, name)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("rpc: the name of a method is not text: %q", name)
	}
	return nil
}
