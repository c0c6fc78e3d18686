package static

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/yodel-mq/yodel/discovery"
)

// show writes what a list says, in its order.
func show(l *list) string {
	var b strings.Builder
	for _, id := range l.order {
		r := l.records[id]
		for _, s := range r.Services {
			fmt.Fprintf(&b, "%s %s %s %s %s %s\n", r.Group, s.Name, s.Type, s.Endpoints[0], r.Name, r.Key)
		}
	}
	return b.String()
}

func TestParse(t *testing.T) {
	const key = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"
	for name, c := range map[string]struct{ text, want string }{
		"empty":    {"", ""},
		"comments": {"# one\n\n   # two\n", ""},
		"plain":    {"orders tcp://a:1", "default orders  tcp://a:1  \n"},
		"several":  {"orders tcp://a:1 tcp://b:1\n", "default orders  tcp://a:1  \ndefault orders  tcp://b:1  \n"},
		"windows": {
			"\ufefforders tcp://a:1\r\nprices tcp://a:2\r\n", "default orders  tcp://a:1  \ndefault prices  tcp://a:2  \n",
		},
		"all": {
			"orders\ttcp://a:1 type=PUB group=prod name=x key=" + key + " # ours", "prod orders PUB tcp://a:1 x " + key + "\n",
		},
		"# in word": {"orders ipc:///a#b", "default orders  ipc:///a#b  \n"},
		"= in path": {"orders ipc:///a=b", "default orders  ipc:///a=b  \n"},
		"two services of one": {
			"orders tcp://a:1 name=x\nprices tcp://a:1 type=REP",
			"default orders  tcp://a:1 x \ndefault prices REP tcp://a:1 x \n",
		},
		"said twice": {"orders tcp://a:1\norders tcp://a:1", "default orders  tcp://a:1  \n"},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := parse("peers", c.text)
			if err != nil {
				t.Fatal(err)
			}
			if got := show(l); got != c.want {
				t.Errorf("got\n%swant\n%s", got, c.want)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"no endpoint":   {"ok tcp://a:1\n\norders\n", "dir/peers:3: "},
		"a bad one":     {"orders tcp://a:1 tcp://b", "dir/peers:1: "},
		"unknown key":   {"orders tcp://a:1 typ=PUB", "want type, group, name or key"},
		"empty value":   {"orders tcp://a:1 type=", "want one value"},
		"twice":         {"orders tcp://a:1 type=PUB type=SUB", "want one value"},
		"other type":    {"orders tcp://a:1 type=PUB\norders tcp://a:1 type=SUB", "dir/peers:2: "},
		"binary":        {"\x00\xff\n", "dir/peers:1: "},
		"several lines": {"a\nb\n", "dir/peers:2: "},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse("dir/peers", c.text)
			var line *LineError
			if !errors.Is(err, discovery.ErrRecord) || !errors.As(err, &line) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want a LineError that says %q", err, c.want)
			}
		})
	}
	t.Run("not all of many", func(t *testing.T) {
		_, err := parse("peers", strings.Repeat("bad\n", 1000))
		if n := strings.Count(err.Error(), "\n") + 1; n != maxBad {
			t.Errorf("%d lines are named, want %d", n, maxBad)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add("# a\norders tcp://a:1 tcp://[::1]:2 type=PUB group=g name=n\n")
	f.Add("orders ipc://@x key=rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7")
	f.Fuzz(func(t *testing.T, text string) {
		l, err := parse("f", text)
		if err != nil {
			if !errors.Is(err, discovery.ErrRecord) {
				t.Errorf("%v is no ErrRecord", err)
			}
			return
		}
		for _, id := range l.order {
			r := l.records[id]
			if r.ID != id || len(r.Services) == 0 || !r.Configured {
				t.Errorf("record %+v", r)
			}
		}
	})
}
