package discovery_test

import (
	"errors"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/yodel-mq/yodel/discovery"
)

// grown matches the errors of a record that is too big once keys that were missing have been added.
var grown = regexp.MustCompile(`^discovery: bad record: (\d+ strings|\d+ bytes of TXT|s\d+= has 256 bytes), at most`)

// FuzzParseTXT feeds strings, separated by line feeds. Whatever it takes must be within the limits, and be written,
// if it still fits with the keys that were missing, in a way that comes back as the same.
func FuzzParseTXT(f *testing.F) {
	whole, err := full.TXT()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(strings.Join(whole, "\n"))
	const id = "\nid=aeaaaaaaaaaaaaaaaaaaaaaaae\n"
	for _, s := range []string{
		"", "=", "txtvers=1", "txtvers=2" + id, "txtvers=1" + id + "r=1\nr=2", "txtvers=1" + id + "n=%",
		"txtvers=1" + id + "n=%C3%BC",
		"txtvers=1" + id + "g=~aaaaaaaaaaaaaaaaaaaaaaaaaa", "txtvers=1" + id + "h=::1,1::2:3:4:5:6:7", "TXTVERS=1.5" + id,
		"txtvers=1" + id + "s0=a,PUB,t1+f,t[::1]:2,i@x,i/a%2Cb,uws://x,z\ns15=b", "txtvers=1" + id + "s0=a,,t*:5,t%31",
		"txtvers=1" + id + "l=1\nts=1\nbye=1\nx=AA", "txtvers=1" + id + "m-a==\nm-=\nm-%=",
		"txtvers=1" + id + "s0=a,,uipc://a\ns0",
		"txtvers=1" + id + "k=" + strings.Repeat("#", 40), strings.Repeat("\n", 40), strings.Repeat("a", 300),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, joined string) {
		in := strings.Split(joined, "\n")
		r, err := discovery.ParseTXT(in)
		if err != nil {
			if !errors.Is(err, discovery.ErrRecord) {
				t.Fatalf("error %v is not ErrRecord", err)
			}
			if len(err.Error()) > 600 {
				t.Fatalf("an error of %d bytes is a way to fill logs", len(err.Error()))
			}
			return
		}
		if r.ID == (discovery.ID{}) || len(r.Services) > 16 || len(r.Proof) > 160 || r.Lifetime < 0 || r.From != nil ||
			r.Configured {
			t.Fatalf("took %+v", r)
		}
		out, err := r.TXT()
		if err != nil {
			if !grown.MatchString(err.Error()) {
				t.Fatalf("cannot be written again: %v", err)
			}
			return
		}
		again, err := discovery.ParseTXT(out)
		if err != nil || !reflect.DeepEqual(again, r) {
			t.Fatalf("came back as %+v, %v\nwant %+v", again, err, r)
		}
		if second, _ := again.TXT(); !slices.Equal(second, out) {
			t.Fatalf("written as %q, then as %q", out, second)
		}
		if again.Digest() != r.Digest() {
			t.Fatal("the digest has changed")
		}
	})
}
