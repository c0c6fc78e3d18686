package observe

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/yodel-mq/yodel/socket"
)

// Each column is one of a sum that is checked: no figure can change alone, in the socket's ledger or a peer's.
func TestEachColumnIsChecked(t *testing.T) {
	columns := reflect.TypeFor[Ledger]()
	for i := range columns.NumField() {
		for part, name := range []string{"messages", "bytes"} {
			for _, of := range []string{"socket", "peer"} {
				t.Run(columns.Field(i).Name+" "+name+" "+of, func(t *testing.T) {
					text, err := json.Marshal(exemplary().Snapshot())
					must(t, err)
					s, err := Parse(text)
					must(t, err)
					must(t, s.Check())
					l := &s.Sockets[0].Ledger
					if of == "peer" {
						l = &s.Sockets[0].Peers[0].Ledger
					}
					switch f := reflect.ValueOf(l).Elem().Field(i); f.Kind() {
					case reflect.Map:
						for _, why := range f.MapKeys() {
							c := f.MapIndex(why).Interface().(Count)
							c[part]++
							f.SetMapIndex(why, reflect.ValueOf(c))
						}
					default:
						f.Addr().Interface().(*Count)[part]++
					}
					if s.Check() == nil {
						t.Error("the sum is wrong and nothing says so")
					}
				})
			}
		}
	}
}

// A ledger that does not balance is told as such.
func TestUnbalanced(t *testing.T) {
	l := balanced()
	l.Handed.Messages++
	for _, c := range []struct {
		name  string
		stats socket.Stats
		want  string
	}{
		{"balanced", socket.Stats{Ledger: balanced()}, ""},
		{"of a socket", socket.Stats{Ledger: l}, clean(l.Check().Error(), maxText)},
		{
			"of a peer",
			socket.Stats{Peers: []socket.PeerStats{{Peer: &socket.Peer{Identity: []byte("me")}, Ledger: l}}},
			"an account does not add up",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := New()
			r.Add("it", &fake{typ: "PULL", stats: c.stats})
			s := r.Snapshot()
			if got := s.Sockets[0].Unbalanced; got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
			if told := len(s.Warnings) > 0; told != (c.want != "") || told && s.Warnings[0].Lint != lintLedger {
				t.Errorf("warnings: %v", s.Warnings)
			}
		})
	}
}
