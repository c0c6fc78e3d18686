package gossip

import (
	"bytes"
	"context"
	"errors"
	"net"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/yodel-mq/yodel/discovery"
)

func bundleOf(t testing.TB, rs ...discovery.Record) (b []byte) {
	t.Helper()
	for _, r := range rs {
		if err := discovery.Open().Seal(&r); err != nil {
			t.Fatal(err)
		}
		var err error
		if b, err = appendRecord(b, &r); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func TestRecordsAgain(t *testing.T) {
	want := []discovery.Record{record("default", 1), record("default", 9), record("prod", 0)}
	got, err := parseRecords(bundleOf(t, want...))
	if err != nil || len(got) != len(want) {
		t.Fatalf("got %v, %v", got, err)
	}
	for i := range want {
		got[i].Issued, got[i].Proof = want[i].Issued, nil
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Errorf("record %d: got\n%+v, want\n%+v", i, got[i], want[i])
		}
	}
}

func TestParseRecords(t *testing.T) {
	ok := bundleOf(t, record("default", 1))
	bye := record("default", 0)
	bye.Goodbye = true
	for name, c := range map[string]struct {
		b    []byte
		want int // records, -1 for an error
	}{
		"none":                  {nil, 0},
		"one":                   {ok, 1},
		"truncated":             {ok[:len(ok)-1], -1},
		"half a length":         {append(bytes.Clone(ok), 0), -1},
		"string beyond its end": {[]byte{0, 2, 9, 'x'}, -1},
		"one not understood":    {append([]byte{0, 4, 3, 'a', '=', 'b'}, ok...), 1},
		"nothing in it":         {append([]byte{0, 0}, ok...), 1},
		"a goodbye":             {append(bundleOf(t, bye), ok...), 1},
		"too many":              {bytes.Repeat(ok, maxRecords+1), -1},
		"too large":             {make([]byte, maxBundle+1), -1},
	} {
		t.Run(name, func(t *testing.T) {
			rs, err := parseRecords(c.b)
			if c.want < 0 != (err != nil) || err != nil && !errors.Is(err, discovery.ErrRecord) ||
				c.want >= 0 && len(rs) != c.want {
				t.Errorf("got %d records, %v, want %d", len(rs), err, c.want)
			}
		})
	}
}

func TestMeta(t *testing.T) {
	small, big := bundleOf(t, record("default", 1)), bundleOf(t, record("default", 10))
	for name, c := range map[string]struct {
		bundle []byte
		kind   byte
	}{
		"none": {nil, metaNone}, "small": {small, metaInline}, "big": {big, metaDigest},
		"just":      {make([]byte, memberlist.MetaMaxSize-headerLen), metaInline},
		"not quite": {make([]byte, memberlist.MetaMaxSize-headerLen+1), metaDigest},
	} {
		t.Run(name, func(t *testing.T) {
			b := appendMeta("g", c.bundle, memberlist.MetaMaxSize)
			m, err := parseMeta("g", b)
			if err != nil || len(b) > memberlist.MetaMaxSize || m.kind != c.kind {
				t.Fatalf("got %d bytes, %+v, %v", len(b), m, err)
			}
			if m.kind == metaInline && !bytes.Equal(m.inline, c.bundle) || m.kind == metaDigest &&
				m.digest != digestOf(c.bundle) {
				t.Errorf("got %+v", m)
			}
			if _, err := parseMeta("other", b); err == nil {
				t.Error("passes for another group")
			}
		})
	}
	ok := appendMeta("g", nil, 512)
	for name, b := range map[string][]byte{
		"empty": nil, "short": ok[:5], "another version": append([]byte{2}, ok[1:]...), "more": append(bytes.Clone(ok), 1),
		"kind": append(bytes.Clone(ok[:5]), 9), "empty inline": append(bytes.Clone(ok[:5]), metaInline),
		"short digest": append(bytes.Clone(ok[:5]), metaDigest, 1),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := parseMeta("g", b); !errors.Is(err, discovery.ErrRecord) {
				t.Errorf("got %v, want ErrRecord", err)
			}
		})
	}
}

func TestParseMessage(t *testing.T) {
	id, d := discovery.NewID(), digest{1, 2}
	bye := record("default", 0)
	bye.Goodbye = true
	for name, c := range map[string]struct {
		b  []byte
		ok bool
	}{
		"want": {wantMessage(id, d), true}, "have": {haveMessage(id, []byte("x")), true},
		"sum":         {sumMessage(id, 7, time.Second), true},
		"bye":         {append([]byte{msgBye}, bundleOf(t, bye)...), true},
		"not a bye":   {append([]byte{msgBye}, bundleOf(t, record("default", 0))...), false},
		"bye and on":  {append(append([]byte{msgBye}, bundleOf(t, bye)...), 0), false},
		"empty":       {nil, false},
		"unknown":     {[]byte("z1234567890123456"), false},
		"short want":  {wantMessage(id, d)[:20], false},
		"long want":   {append(wantMessage(id, d), 1), false},
		"empty have":  {haveMessage(id, nil), false},
		"large have":  {haveMessage(id, make([]byte, maxBundle+1)), false},
		"short sum":   {sumMessage(id, 7, 0)[:28], false},
		"truncated b": {append([]byte{msgBye}, bundleOf(t, bye)[:9]...), false},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := parseMessage(c.b)
			if c.ok != (err == nil) || err != nil && !errors.Is(err, discovery.ErrRecord) {
				t.Errorf("got %+v, %v", m, err)
			}
			if c.ok && m.kind != msgBye && m.id != id {
				t.Errorf("id is %v, want %v", m.id, id)
			}
		})
	}
	if m, _ := parseMessage(sumMessage(id, 7, 1500*time.Millisecond)); m.sum != 7 || m.age != 1500*time.Millisecond {
		t.Errorf("sum came back as %+v", m)
	}
}

// alone opens a member that has no others, for what only it decides.
func alone(t testing.TB, opts ...Option) *session {
	t.Helper()
	b, err := New(append([]Option{WithBind("127.0.0.1:0"), WithKey(testKey)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	s, err := b.shared.Acquire()
	if err != nil {
		t.Fatal(err)
	}
	s.start()
	t.Cleanup(func() { b.shared.Release(context.WithoutCancel(t.Context())) })
	return s
}

func TestAdmit(t *testing.T) {
	s := alone(t, WithLimits(discovery.Limits{Nodes: 2}))
	ok := memberlist.Node{
		Name: discovery.NewID().String(), Addr: net.IPv4(10, 0, 0, 1), Port: 7946, Meta: appendMeta("default", nil, 512),
		DMin: 1, DMax: 1, DCur: 1,
	}
	for name, c := range map[string]struct {
		change func(n *memberlist.Node)
		says   string
	}{
		"good":              {func(*memberlist.Node) {}, ""},
		"other group":       {func(n *memberlist.Node) { n.Meta = appendMeta("prod", nil, 512) }, "group"},
		"no metadata":       {func(n *memberlist.Node) { n.Meta = nil }, "version"},
		"later version":     {func(n *memberlist.Node) { n.DMin, n.DMax = 2, 3 }, "version"},
		"later format":      {func(n *memberlist.Node) { n.Meta = append([]byte{2}, n.Meta[1:]...) }, "version"},
		"bad metadata":      {func(n *memberlist.Node) { n.Meta = append(bytes.Clone(n.Meta), 1) }, "metadata"},
		"a name of its own": {func(n *memberlist.Node) { n.Name = "db1" }, "node id"},
		"address of 3":      {func(n *memberlist.Node) { n.Addr = net.IP{1, 2, 3} }, "member at"},
		"no address":        {func(n *memberlist.Node) { n.Addr = nil }, "member at"},
		"unspecified":       {func(n *memberlist.Node) { n.Addr = net.IPv4zero }, "member at"},
		"multicast":         {func(n *memberlist.Node) { n.Addr = net.IPv4(224, 0, 0, 1) }, "member at"},
		"port 0":            {func(n *memberlist.Node) { n.Port = 0 }, "member at"},
	} {
		t.Run(name, func(t *testing.T) {
			n := ok
			c.change(&n)
			err := s.NotifyAlive(&n)
			if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("got %v, want something about %q", err, c.says)
			}
		})
	}
	joins(s, &ok)
	third := ok
	third.Name = discovery.NewID().String()
	if err := s.NotifyAlive(&third); !errors.Is(err, discovery.ErrLimit) {
		t.Errorf("one too many: %v, want ErrLimit", err)
	}
	if err := s.NotifyAlive(&ok); err != nil {
		t.Errorf("one that is known: %v", err)
	}
	leaves(s, &ok)

	stranger := memberlist.Node{Name: "x", Meta: appendMeta("prod", nil, 512)}
	if err := s.NotifyMerge([]*memberlist.Node{&ok, &stranger}); !errors.Is(err, discovery.ErrRecord) {
		t.Errorf("merge with another group: %v, want ErrRecord", err)
	}
	if err := s.NotifyMerge([]*memberlist.Node{&ok}); err != nil {
		t.Errorf("merge with our own: %v", err)
	}
}

// A goodbye of which nobody knows the node is not passed on.
func TestUnknownGoodbye(t *testing.T) {
	s := alone(t)
	bye := record("default", 0)
	bye.Goodbye = true
	s.NotifyMsg(append([]byte{msgBye}, bundleOf(t, bye)...))
	if n := s.byes.NumQueued(); n != 0 {
		t.Errorf("%d goodbyes are passed on, want none", n)
	}
}

// FuzzPeer plays another member: whatever it says must neither panic nor make us keep more than it may.
func FuzzPeer(f *testing.F) {
	id := discovery.NewID()
	small := bundleOf(f, record("default", 1))
	bye := record("default", 0)
	bye.Goodbye = true
	f.Add(wantMessage(id, digest{}), appendMeta("default", small, 512))
	f.Add(haveMessage(id, small), appendMeta("default", bundleOf(f, record("default", 10)), 512))
	f.Add(append([]byte{msgBye}, bundleOf(f, bye)...), appendMeta("default", nil, 512))
	f.Add(sumMessage(id, 1, time.Second), appendMeta("default", []byte{0, 4, 3, 'a', '=', 'b'}, 512))
	s := alone(f)
	f.Fuzz(func(t *testing.T, msg, meta []byte) {
		n := &memberlist.Node{Name: id.String(), Addr: net.IPv4(127, 0, 0, 1), Port: 9, Meta: meta, DMin: 1, DMax: 1, DCur: 1}
		if s.NotifyAlive(n) == nil {
			joins(s, n)
		}
		s.NotifyMsg(msg)
		if rs, err := parseRecords(msg); err == nil && len(rs) > maxRecords {
			t.Errorf("%d records", len(rs))
		}
		leaves(s, n)
		if got := s.size(); got > 2 {
			t.Errorf("%d members", got)
		}
	})
}

// joins tells s of a member, as the current instance of memberlist does.
func joins(s *session, n *memberlist.Node) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.found(n)
}

// leaves tells s that a member has left.
func leaves(s *session, n *memberlist.Node) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone(n)
}
