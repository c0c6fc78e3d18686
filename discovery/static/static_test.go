package static

import (
	"errors"
	"strings"
	"testing"

	"github.com/yodel-mq/yodel/discovery"
	"github.com/yodel-mq/yodel/discovery/internal/watchtest"
)

func TestList(t *testing.T) {
	b, err := New(
		Peer{Service: "orders", Endpoints: []string{"tcp://10.0.0.1:5555", "tcp://db1.example:5555"}, Type: "PUB"},
		Peer{Service: "prices", Endpoints: []string{"tcp://10.0.0.1:5555"}, Name: "one"},
		Peer{Service: "orders", Endpoints: []string{"ipc:///run/o"}, Group: "prod"},
	)
	if err != nil {
		t.Fatal(err)
	}
	if b.Name() != "static" {
		t.Errorf("Name is %q", b.Name())
	}
	if _, err := b.Announce(t.Context(), discovery.Record{ID: discovery.NewID()}); !errors.Is(err, discovery.ErrReadOnly) {
		t.Errorf("Announce: %v, want ErrReadOnly", err)
	}
	for name, c := range map[string]struct {
		q    discovery.Query
		want []string
	}{
		"default group": {
			discovery.Query{},
			[]string{"orders=tcp://10.0.0.1:5555", "prices=tcp://10.0.0.1:5555", "orders=tcp://db1.example:5555"},
		},
		"service": {
			discovery.Query{Service: "prices"}, []string{"orders=tcp://10.0.0.1:5555", "prices=tcp://10.0.0.1:5555"},
		},
		"other group":   {discovery.Query{Group: "prod"}, []string{"orders=ipc:///run/o"}},
		"no such group": {discovery.Query{Group: "test"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			l := watchtest.Watch(t, b, c.q)
			l.Kind(discovery.Synced, 0)
			l.Endpoints(c.want...)
			for id, r := range l.Nodes() {
				if !r.Configured || r.ID != id || r.Lifetime != 0 {
					t.Errorf("record %+v: want it configured, and without an end", r)
				}
			}
			if n := l.Count(discovery.Trouble); n > 0 {
				t.Errorf("trouble: %s", l)
			}
		})
	}
}

// The ID of an endpoint is part of what other processes, and later versions, rely on.
func TestIDsStay(t *testing.T) {
	for name, c := range map[string]struct{ group, endpoint, want string }{
		"plain":       {"default", "tcp://10.0.0.1:5555", "5qti43456atw7uipngbejjyaai"},
		"other group": {"prod", "tcp://10.0.0.1:5555", "2sgobndwdoduou5b5zg62ijpuu"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := nodeID(c.group, c.endpoint).String(); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestBadPeers(t *testing.T) {
	ok := Peer{Service: "orders", Endpoints: []string{"tcp://10.0.0.1:5555"}}
	for name, c := range map[string]struct {
		change func(*Peer)
		says   string
	}{
		"no service":      {func(p *Peer) { p.Service = "" }, "service"},
		"upper case":      {func(p *Peer) { p.Service = "Orders" }, "service"},
		"space":           {func(p *Peer) { p.Service = "a b" }, "service"},
		"long service":    {func(p *Peer) { p.Service = strings.Repeat("a", 64) }, "service"},
		"bad group":       {func(p *Peer) { p.Group = "Prod" }, "group"},
		"long name":       {func(p *Peer) { p.Name = strings.Repeat("a", 64) }, "name"},
		"short key":       {func(p *Peer) { p.Key = "abc" }, "key"},
		"type":            {func(p *Peer) { p.Type = "pub" }, "type"},
		"no endpoint":     {func(p *Peer) { p.Endpoints = nil }, "no endpoint"},
		"not an endpoint": {func(p *Peer) { p.Endpoints = []string{"10.0.0.1:5555"} }, "tcp://host:port"},
		"no port":         {func(p *Peer) { p.Endpoints = []string{"tcp://10.0.0.1"} }, "port"},
		"port 0":          {func(p *Peer) { p.Endpoints = []string{"tcp://10.0.0.1:0"} }, "port"},
		"large port":      {func(p *Peer) { p.Endpoints = []string{"tcp://10.0.0.1:65536"} }, "port"},
		"named port":      {func(p *Peer) { p.Endpoints = []string{"tcp://10.0.0.1:http"} }, "port"},
		"any host":        {func(p *Peer) { p.Endpoints = []string{"tcp://*:5555"} }, "no host"},
		"empty host":      {func(p *Peer) { p.Endpoints = []string{"tcp://:5555"} }, "no host"},
		"long endpoint":   {func(p *Peer) { p.Endpoints = []string{"ipc://" + strings.Repeat("a", 250)} }, "longer"},
		"new line":        {func(p *Peer) { p.Endpoints = []string{"ipc:///a\nb"} }, "control"},
		"another type":    {func(p *Peer) { p.Type = "SUB" }, "another type"},
		"another name":    {func(p *Peer) { p.Name = "two" }, "another name"},
	} {
		t.Run(name, func(t *testing.T) {
			first := ok
			first.Type, first.Name = "PUB", "one"
			p := ok
			c.change(&p)
			if _, err := New(first, p); !errors.Is(err, discovery.ErrRecord) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want ErrRecord that says %q", err, c.says)
			}
		})
	}
}
