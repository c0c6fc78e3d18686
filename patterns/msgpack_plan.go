package patterns

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/vmihailenco/msgpack/v5"
)

// A plan says what decoding into a type takes in memory for each thing that a peer may announce.
type plan struct {
	element uint64 // bytes for each element of an array
	table   uint64 // for each map
	entry   uint64 // for each entry of a map
}

// Costs of what Go makes of values.
const (
	sizeInterface = 16
	sizeBoxed     = 24 // the most that a value behind an interface takes, short of strings and containers: a time.Time
	sizeMap       = 48
	groupSlots    = 8 // a map is made with room for as many entries
)

var (
	customDecoder = reflect.TypeFor[msgpack.CustomDecoder]()
	ownDecoders   = []reflect.Type{
		reflect.TypeFor[msgpack.Unmarshaler](),
		reflect.TypeFor[encoding.BinaryUnmarshaler](),
		reflect.TypeFor[encoding.TextUnmarshaler](),
	}
	timeType = reflect.TypeFor[time.Time]()
)

// planFor looks at a type and all that it is made of. It refuses what the decoder cannot do without harm.
func planFor(t reflect.Type) (plan, error) {
	s := survey{seen: make(map[reflect.Type]bool)}
	if err := s.visit(t); err != nil {
		return plan{}, err
	}
	p := plan{
		element: 2*uint64(s.element) + uint64(s.behind), // a slice is made and then copied
	}
	if s.key+s.value > 0 {
		slot := uint64(s.key + s.value)
		p.table = sizeMap + groupSlots*(slot+1)
		// Up to 16 slots for 7 entries; key and value are made outside and copied.
		p.entry = 3*(slot+1) + slot
	}
	p.entry += 2 * uint64(s.behind)
	return p, nil
}

// A survey collects the largest things that are made for one value, wherever in a type.
type survey struct {
	seen       map[reflect.Type]bool
	element    uintptr // of a slice
	key, value uintptr // of a map
	behind     uintptr // a pointer or an interface
}

func (s *survey) visit(t reflect.Type) error {
	if s.seen[t] {
		return nil
	}
	s.seen[t] = true
	switch {
	case t == timeType:
		return nil
	case implements(t, customDecoder):
		s.anything() // it may ask for whatever is there
		return nil
	}
	for _, own := range ownDecoders {
		if implements(t, own) {
			return nil // it is given bytes that are there
		}
	}
	switch t.Kind() {
	case reflect.Interface:
		s.anything()
	case reflect.Pointer:
		s.behind = max(s.behind, t.Elem().Size())
		return s.visit(t.Elem())
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return nil
		}
		s.element = max(s.element, t.Elem().Size())
		return s.visit(t.Elem())
	case reflect.Array:
		return s.visit(t.Elem())
	case reflect.Map:
		s.mapOf(t.Key().Size(), t.Elem().Size())
		if err := s.visit(t.Key()); err != nil {
			return err
		}
		return s.visit(t.Elem())
	case reflect.Struct:
		for f := range t.Fields() {
			if err := s.visitField(t, f); err != nil {
				return err
			}
		}
	default: // holds nothing else
	}
	return nil
}

func (s *survey) visitField(t reflect.Type, f reflect.StructField) error {
	if !f.IsExported() && !f.Anonymous {
		return nil
	}
	tag := f.Tag.Get("msgpack")
	if tag == "" {
		tag = f.Tag.Get("json")
	}
	name, options, _ := strings.Cut(tag, ",")
	if name == "-" {
		return nil
	}
	for option := range strings.SplitSeq(options, ",") {
		if option == "intern" {
			return fmt.Errorf("%s.%s: interned strings are not supported: other languages cannot read them", t, f.Name)
		}
	}
	// The decoder would start a goroutine for the type that never ends, or call itself for ever.
	if f.Anonymous && f.Type.Kind() == reflect.Pointer {
		return fmt.Errorf("%s.%s: a pointer cannot be embedded: embed the struct, or name the field", t, f.Name)
	}
	return s.visit(f.Type)
}

// anything is what is made for a value that may be of any kind.
func (s *survey) anything() {
	s.element = max(s.element, sizeInterface)
	s.behind = max(s.behind, sizeBoxed)
	s.mapOf(sizeInterface, sizeInterface) // a map[string]any
}

func (s *survey) mapOf(key, value uintptr) {
	s.key, s.value = max(s.key, key), max(s.value, value)
}

func implements(t, i reflect.Type) bool {
	return t.Implements(i) || t.Kind() != reflect.Pointer && reflect.PointerTo(t).Implements(i)
}
