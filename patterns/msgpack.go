package patterns

import (
	"bytes"
	"fmt"
	"reflect"
	"sync"

	"github.com/vmihailenco/msgpack/v5"
)

// Limits bound what decoding one body may take, whatever the body claims. A field that is 0 or less has its default.
type Limits struct {
	// Depth is how many arrays and maps may be inside each other: 64, at most 10,000.
	Depth int
	// Elements is how many values there may be in all arrays and maps together, of an entry of a map key and value:
	// 1,048,576.
	Elements int
	// Memory is how many bytes arrays and maps may take once they are decoded, estimated from the type that is decoded
	// into: 64 MiB. Strings and bytes do not count: they take what was received. What a type's own decoding method
	// allocates does not count either.
	Memory int64
}

// Defaults and bounds of Limits.
const (
	defaultDepth    = 64
	maxDepth        = 10_000
	defaultElements = 1 << 20
	defaultMemory   = 64 << 20
)

// Msgpack returns the codec that is used where no other is asked for: MessagePack, of which every body is looked at as
// a whole before it is decoded, so that neither memory nor stack can be used up by what a few bytes claim.
//
// Structs are maps by the names in their msgpack tags, else in their json tags, else of their fields; fields that are
// not known are skipped. Integers take the fewest bytes, []byte is bin, time.Time is a timestamp, and floats stay
// floats. Other ext types are refused, so are bytes after the value. What is decoded into an interface has the type
// that it has in the body: int8 for 5, uint16 for 5000, map[string]any for a map.
//
// Two things are as in the library below, unlike with [JSON]: a number that does not fit an integer field keeps its low
// bits, and of two equal keys the last counts. A struct that embeds a pointer is an error both ways, and so is nil for
// a time.Time or whatever else makes the library panic. Of a value that contains itself nothing helps.
func Msgpack(l Limits) Codec {
	c := &msgpackCodec{limits: budget{depth: defaultDepth, elements: defaultElements, memory: defaultMemory}}
	if l.Depth > 0 {
		c.limits.depth = min(l.Depth, maxDepth)
	}
	if l.Elements > 0 {
		c.limits.elements = uint64(l.Elements)
	}
	if l.Memory > 0 {
		c.limits.memory = uint64(l.Memory)
	}
	return c
}

// A msgpackCodec keeps the library's objects itself: those in the library's own pools keep buffers as large as the
// largest message of the process.
type msgpackCodec struct {
	limits   budget    // without a plan
	plans    sync.Map  // reflect.Type to planned
	encoders sync.Pool // of *msgpackEncoder
	decoders sync.Pool // of *msgpackDecoder
}

type planned struct {
	plan
	err error
}

type msgpackEncoder struct {
	library *msgpack.Encoder
	out     appender
}

type msgpackDecoder struct {
	library *msgpack.Decoder
	in      bytes.Reader
}

// pooledBody is the longest body whose decoder is used again: it keeps a buffer of the longest string.
const pooledBody = 64 << 10

func (c *msgpackCodec) Type() string { return "" }

func (c *msgpackCodec) Append(dst []byte, v any) (b []byte, err error) {
	b = dst
	defer guard("msgpack", &err)
	if r, ok := rawOf(v); ok {
		return appendRaw(dst, r, c.Type())
	}
	if v != nil {
		if p := c.planOf(reflect.TypeOf(v)); p.err != nil {
			return dst, p.err
		}
	}
	e, ok := c.encoders.Get().(*msgpackEncoder)
	if !ok {
		e = &msgpackEncoder{library: msgpack.NewEncoder(nil)}
	}
	e.out.b = dst
	e.library.Reset(&e.out)
	e.library.SetCustomStructTag("json")
	e.library.UseCompactInts(true)
	err = e.library.Encode(v)
	out := e.out.b
	e.out.b = nil
	if err != nil {
		return dst, err
	}
	c.encoders.Put(e)
	return out, nil
}

func (c *msgpackCodec) Decode(data []byte, v any) (err error) {
	defer guard("msgpack", &err)
	if r, ok := v.(*Raw); ok {
		return r.keep(c, data)
	}
	into, err := target(v)
	if err != nil {
		return err
	}
	if len(data) == 0 || len(data) == 1 && data[0] == 0xc0 {
		into.SetZero()
		return nil
	}
	p := c.planOf(into.Type())
	if p.err != nil {
		return p.err
	}
	b := c.limits
	b.plan = p.plan
	data, err = scan(data, &b)
	if err != nil {
		return err
	}
	d, ok := c.decoders.Get().(*msgpackDecoder)
	if !ok {
		d = &msgpackDecoder{library: msgpack.NewDecoder(nil)}
	}
	d.in.Reset(data)
	d.library.Reset(&d.in)
	d.library.SetCustomStructTag("json")
	if err := d.library.Decode(v); err != nil {
		return err
	}
	d.in.Reset(nil)
	if len(data) <= pooledBody {
		c.decoders.Put(d)
	}
	return nil
}

func (c *msgpackCodec) planOf(t reflect.Type) planned {
	if p, ok := c.plans.Load(t); ok {
		return p.(planned)
	}
	p := planned{}
	p.plan, p.err = planFor(t)
	c.plans.Store(t, p)
	return p
}

// An appender is where an encoder writes to.
type appender struct{ b []byte }

func (a *appender) Write(p []byte) (int, error) {
	a.b = append(a.b, p...)
	return len(p), nil
}

func (a *appender) WriteByte(c byte) error {
	a.b = append(a.b, c)
	return nil
}

// guard turns a panic of a library or of a type's own methods into an error, and says of each error where it is from.
func guard(codec string, err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("panic: %v", r)
	}
	if *err != nil {
		*err = fmt.Errorf("patterns: %s: %w", codec, *err)
	}
}
