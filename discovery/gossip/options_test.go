package gossip

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/discovery"
)

func TestOptions(t *testing.T) {
	key := WithKey(testKey)
	for name, c := range map[string]struct {
		opts []Option
		err  error
		says string
	}{
		"key":           {[]Option{key}, nil, ""},
		"no key":        {nil, ErrNoKey, "WithKey"},
		"no encryption": {[]Option{WithoutEncryption()}, nil, ""},
		"both":          {[]Option{key, WithoutEncryption()}, discovery.ErrInvalidOption, "WithoutEncryption"},
		"short key":     {[]Option{WithKey([]byte("short"))}, discovery.ErrInvalidOption, "16, 24 or 32"},
		"short other":   {[]Option{WithKey(testKey, []byte("short"))}, discovery.ErrInvalidOption, "16, 24 or 32"},
		"bind":          {[]Option{key, WithBind("[::1]:0")}, nil, ""},
		"bind a name":   {[]Option{key, WithBind("localhost:1")}, discovery.ErrInvalidOption, "localhost"},
		"bind no port":  {[]Option{key, WithBind("127.0.0.1")}, discovery.ErrInvalidOption, "port"},
		"advertise":     {[]Option{key, WithAdvertise("192.0.2.1:0")}, nil, ""},
		"advertise any": {[]Option{key, WithAdvertise("0.0.0.0:1")}, discovery.ErrInvalidOption, "dial"},
		"advertise ll":  {[]Option{key, WithAdvertise("[fe80::1]:1")}, discovery.ErrInvalidOption, "dial"},
		"advertise nm":  {[]Option{key, WithAdvertise("host:1")}, discovery.ErrInvalidOption, "host:1"},
		"seed":          {[]Option{key, WithSeeds("a b")}, discovery.ErrInvalidOption, "seed"},
		"seed port":     {[]Option{key, WithSeeds("a:0")}, discovery.ErrInvalidOption, "seed"},
		"seeds from":    {[]Option{key, WithSeedsFrom(nil)}, discovery.ErrInvalidOption, "watcher"},
		"group":         {[]Option{key, WithGroup("A")}, discovery.ErrInvalidOption, "group"},
		"profile":       {[]Option{key, WithProfile(7)}, discovery.ErrInvalidOption, "profile"},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := New(c.opts...)
			switch {
			case c.err == nil && (err != nil || b.Name() != "gossip"):
				t.Errorf("got %v, %v", b, err)
			case c.err != nil && (!errors.Is(err, c.err) || !strings.Contains(err.Error(), c.says)):
				t.Errorf("got %v, want %v that says %q", err, c.err, c.says)
			}
		})
	}
}

func TestSeedsAreCompleted(t *testing.T) {
	b, err := New(WithKey(testKey),
		WithSeeds("10.0.0.1", "10.0.0.1:1", "fd00::1", "[fd00::1]:2", "a.example", "a.example:3"))
	want := []string{"10.0.0.1:7946", "10.0.0.1:1", "[fd00::1]:7946", "[fd00::1]:2", "a.example:7946", "a.example:3"}
	if err != nil || !slices.Equal(b.config.seeds, want) {
		t.Errorf("got %v, %v, want %v", b.config.seeds, err, want)
	}
}

func TestDefaults(t *testing.T) {
	for name, c := range map[string]struct {
		opts   []Option
		rejoin time.Duration
	}{
		"LAN": {nil, 15 * time.Second}, "WAN": {[]Option{WithProfile(WAN)}, time.Minute},
		"set":       {[]Option{WithRejoin(time.Second)}, time.Second},
		"too short": {[]Option{WithRejoin(1)}, 100 * time.Millisecond},
		"zero":      {[]Option{WithRejoin(time.Second), WithRejoin(0)}, 15 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := New(append(c.opts, WithKey(testKey))...)
			if err != nil || b.config.rejoin != c.rejoin || b.config.group != discovery.DefaultGroup ||
				b.config.limits.Nodes != 4096 {
				t.Errorf("got %+v, %v", b.config, err)
			}
		})
	}
	if lan, wan := LAN.memberlist(), WAN.memberlist(); lan.ProbeInterval >= wan.ProbeInterval ||
		wan.GossipInterval != 500*time.Millisecond {
		t.Errorf("LAN probes each %v, WAN each %v and gossips each %v", lan.ProbeInterval, wan.ProbeInterval,
			wan.GossipInterval)
	}
}

func TestChoose(t *testing.T) {
	for name, c := range map[string]struct{ addrs, want string }{
		"nothing":         {"", "127.0.0.1"},
		"loopback alone":  {"127.0.0.1 ::1", "127.0.0.1"},
		"private first":   {"127.0.0.1 203.0.113.9 2001:db8::1 fd00::1 10.0.0.7", "10.0.0.7"},
		"the first of it": {"192.168.1.2 10.0.0.7", "192.168.1.2"},
		"unique local":    {"203.0.113.9 fd00::1", "fd00::1"},
		"public":          {"2001:db8::1 203.0.113.9", "203.0.113.9"},
		"IPv6 alone":      {"::1 fe80::1 2001:db8::1", "2001:db8::1"},
	} {
		t.Run(name, func(t *testing.T) {
			var addrs []netip.Addr
			for a := range strings.FieldsSeq(c.addrs) {
				addrs = append(addrs, netip.MustParseAddr(a))
			}
			if got := choose(addrs).String(); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestPortTaken(t *testing.T) {
	s := alone(t)
	b, err := New(WithKey(testKey), WithBind(s.transport.bound.String()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Watch(t.Context(), discovery.Query{}); err == nil {
		t.Error("Watch works though the port is taken")
	}
	if _, err := b.Announce(t.Context(), record("", 1)); err == nil {
		t.Error("Announce works though the port is taken")
	}
}

func TestNilOptionsAreIgnored(t *testing.T) {
	b, err := New(nil, WithoutEncryption(), nil)
	if err != nil || !b.config.open {
		t.Errorf("%+v, %v", b, err)
	}
}
