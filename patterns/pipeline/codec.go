package pipeline

import (
	"github.com/yodel-mq/yodel/patterns"
)

// The codecs that a body is decoded by if its type is not that of one's own.
var known = []patterns.Codec{patterns.Msgpack(patterns.Limits{}), patterns.JSON(), patterns.Bytes()}

// decodeRaw decodes a body by its type into v, a pointer.
func decodeRaw(r patterns.Raw, v any, own patterns.Codec) error {
	if own.Type() == r.Type {
		return own.Decode(r.Data, v)
	}
	for _, c := range known {
		if c.Type() == r.Type {
			return c.Decode(r.Data, v)
		}
	}
	if into, ok := v.(*patterns.Raw); ok {
		*into = patterns.Raw{Type: r.Type, Data: append([]byte(nil), r.Data...)}
		return nil
	}
	return patterns.Errorf(patterns.CodeInvalidArgument, "no codec for bodies of type %.64q", r.Type)
}
