package observe

import (
	"encoding/json"
	"os"
	"reflect"
	"testing"
)

// Whatever calls itself a snapshot, reading it ends, what was read is written and read as the same again, and its
// metrics are bounded in number and well formed.
func FuzzParse(f *testing.F) {
	text, err := os.ReadFile(golden)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"v":1}`))
	f.Add([]byte(`{"v":2}`))
	f.Add([]byte(`{"v":1,"sockets":[{"name":"a\"\n","type":"\\","peer_counts":[{"type":"x","peers":-1}],"ledger":null}]}`))
	f.Add([]byte(`{"v":1,"removed":[{"name":"other","type":"PUB","events":{"":1}}],"spools":[{"name":"a"},{"name":"a"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Parse(b)
		if err != nil {
			return
		}
		_ = s.Check()
		again, err := json.Marshal(s)
		must(t, err)
		same, err := Parse(again)
		must(t, err)
		once, err := json.Marshal(same)
		must(t, err)
		if !reflect.DeepEqual(once, again) {
			t.Errorf("%s\nbecame\n%s", again, once)
		}
		if n := len(exposition(t, written(t, s))); n > 65*12*200+5*10+65*20+1 {
			t.Errorf("%d series", n)
		}
	})
}
