package patterns

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
)

// A Codec turns values into the bodies of messages and back. Any number of goroutines may use one at once.
type Codec interface {
	// Type names the encoding in the head of each message: "" for msgpack, "json", "bytes", else a media type, which
	// has a slash.
	Type() string
	// Append appends v to dst and returns the longer slice. If there is an error it returns dst as it was.
	Append(dst []byte, v any) ([]byte, error)
	// Decode decodes data, which may come from anybody, into v, a pointer that is not nil. No data means nil, which
	// makes *v its zero value. Decode must not panic, nor keep data.
	Decode(data []byte, v any) error
}

// JSON returns a codec for encoding/json, of type "json".
func JSON() Codec { return jsonCodec{} }

// Bytes returns a codec that passes bodies as they are, of type "bytes": []byte, string and types made of these, and
// [Raw] of any type. Decoded into an interface a body is a []byte.
func Bytes() Codec { return bytesCodec{} }

// Raw is a body that is still encoded. As the type of a request, a reply, an event or a job it takes any body, and
// sends one that something else has encoded.
type Raw struct {
	// Type is the encoding, as [Codec] has it.
	Type string
	// Data is the body. After Decode it is a copy.
	Data []byte

	codec Codec // that has filled it in
}

// Decode decodes a body by its type: with the first of more that has this type, else with the codec that received r,
// else with [Msgpack], [JSON] or [Bytes].
func Decode[T any](r Raw, more ...Codec) (T, error) {
	var v T
	c, err := r.decoder(more)
	if err == nil {
		err = c.Decode(r.Data, &v)
	}
	return v, err
}

func (r *Raw) decoder(more []Codec) (Codec, error) {
	for _, c := range append(slices.Clip(more), r.codec) {
		if c != nil && c.Type() == r.Type {
			return c, nil
		}
	}
	switch r.Type {
	case "":
		return Msgpack(Limits{}), nil
	case "json":
		return JSON(), nil
	case "bytes":
		return Bytes(), nil
	}
	return nil, fmt.Errorf("patterns: no codec for bodies of type %q", r.Type)
}

// keep makes r a copy of a body that c received.
func (r *Raw) keep(c Codec, data []byte) error {
	if r == nil {
		return errTarget
	}
	*r = Raw{Type: c.Type(), Data: append([]byte(nil), data...), codec: c}
	return nil
}

// rawOf tells whether a value is a Raw, or a pointer to one.
func rawOf(v any) (Raw, bool) {
	switch r := v.(type) {
	case Raw:
		return r, true
	case *Raw:
		if r != nil {
			return *r, true
		}
	}
	return Raw{}, false
}

func appendRaw(dst []byte, r Raw, want string) ([]byte, error) {
	if r.Type != want {
		return dst, fmt.Errorf("a body of type %q is already encoded; this codec has %q", r.Type, want)
	}
	return append(dst, r.Data...), nil
}

var errTarget = errors.New("can decode into a pointer that is not nil, and into nothing else")

// target returns what v points to.
func target(v any) (reflect.Value, error) {
	p := reflect.ValueOf(v)
	if p.Kind() != reflect.Pointer || p.IsNil() {
		return reflect.Value{}, errTarget
	}
	return p.Elem(), nil
}

type jsonCodec struct{}

func (jsonCodec) Type() string { return "json" }

func (c jsonCodec) Append(dst []byte, v any) (b []byte, err error) {
	b = dst
	defer guard("json", &err)
	if r, ok := rawOf(v); ok {
		return appendRaw(dst, r, c.Type())
	}
	data, err := json.Marshal(v)
	if err != nil {
		return dst, err
	}
	return append(dst, data...), nil
}

func (c jsonCodec) Decode(data []byte, v any) (err error) {
	defer guard("json", &err)
	if r, ok := v.(*Raw); ok {
		return r.keep(c, data)
	}
	into, err := target(v)
	if err != nil {
		return err
	}
	if len(data) == 0 {
		into.SetZero()
		return nil
	}
	return json.Unmarshal(data, v)
}

type bytesCodec struct{}

func (bytesCodec) Type() string { return "bytes" }

func (bytesCodec) Append(dst []byte, v any) (b []byte, err error) {
	b = dst
	defer guard("bytes", &err)
	switch v := v.(type) {
	case nil:
		return dst, nil
	case []byte:
		return append(dst, v...), nil
	case string:
		return append(dst, v...), nil
	}
	if r, ok := rawOf(v); ok {
		return append(dst, r.Data...), nil
	}
	r := reflect.Indirect(reflect.ValueOf(v))
	switch {
	case !r.IsValid(): // a nil pointer
		return dst, nil
	case isBytes(r.Type()):
		return append(dst, r.Bytes()...), nil
	case r.Kind() == reflect.String:
		return append(dst, r.String()...), nil
	}
	return dst, fmt.Errorf("%T is neither []byte nor string", v)
}

func (c bytesCodec) Decode(data []byte, v any) (err error) {
	defer guard("bytes", &err)
	if r, ok := v.(*Raw); ok {
		return r.keep(c, data)
	}
	into, err := target(v)
	if err != nil {
		return err
	}
	if into.Kind() == reflect.Pointer { // a type that is a pointer itself
		if len(data) == 0 {
			into.SetZero()
			return nil
		}
		into.Set(reflect.New(into.Type().Elem()))
		into = into.Elem()
	}
	switch {
	case len(data) == 0 && (isBytes(into.Type()) || into.Kind() == reflect.String || isAny(into.Type())):
		into.SetZero()
	case isBytes(into.Type()):
		into.SetBytes(append([]byte(nil), data...))
	case into.Kind() == reflect.String:
		into.SetString(string(data))
	case isAny(into.Type()):
		into.Set(reflect.ValueOf(append([]byte(nil), data...)))
	default:
		return fmt.Errorf("%s is neither []byte nor string", into.Type())
	}
	return nil
}

func isBytes(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8
}

func isAny(t reflect.Type) bool { return t.Kind() == reflect.Interface && t.NumMethod() == 0 }
