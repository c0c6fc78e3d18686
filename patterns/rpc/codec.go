package rpc

import (
	"fmt"

	"github.com/yodel-mq/yodel/patterns"
)

// codecs are those that a side knows: the first is its own.
type codecs []patterns.Codec

// newCodecs puts those that were asked for before those that everybody has.
func newCodecs(own []patterns.Codec) codecs {
	return append(codecs(own), patterns.Msgpack(patterns.Limits{}), patterns.JSON(), patterns.Bytes())
}

func (cs codecs) of(typ string) (patterns.Codec, error) {
	for _, c := range cs {
		if c.Type() == typ {
			return c, nil
		}
	}
	return nil, fmt.Errorf("no codec for bodies of type %.64q", typ)
}

// encode returns a body and its type. A Raw is encoded already.
func encode(c patterns.Codec, v any) (body []byte, typ string, err error) {
	if r, ok := v.(patterns.Raw); ok {
		return r.Data, r.Type, nil
	}
	body, err = c.Append(nil, v)
	return body, c.Type(), err
}
