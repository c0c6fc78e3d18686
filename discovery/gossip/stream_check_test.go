package gossip

import (
	"bytes"
	"compress/lzw"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/yodel-mq/yodel/discovery"
)

// packed writes a map of msgpack: names and values by turns, those being numbers, bytes or what is packed already.
func packed(fields ...any) []byte {
	b := []byte{0x80 | byte(len(fields)/2)}
	for _, f := range fields {
		switch f := f.(type) {
		case string:
			b = append(append(b, 0xd9, byte(len(f))), f...)
		case int:
			b = binary.BigEndian.AppendUint32(append(b, 0xce), uint32(f))
		case bool:
			b = append(b, 0xc2)
		case []byte:
			b = append(binary.BigEndian.AppendUint32(append(b, 0xc6), uint32(len(f))), f...)
		case raw:
			b = append(b, f...)
		}
	}
	return b
}

type raw []byte

func claims(fields ...any) []byte { return append([]byte{streamPushPull}, packed(fields...)...) }

func header(nodes, state int) []byte {
	return claims("Nodes", nodes, "UserStateLen", state, "Join", false)
}

func compressed(b []byte) []byte {
	var z bytes.Buffer
	w := lzw.NewWriter(&z, lzw.LSB, 8)
	_, _ = w.Write(b)
	_ = w.Close()
	return append([]byte{streamCompress}, packed("Algo", 0, "Buf", z.Bytes())...)
}

// A talker says what the test has it say.
type talker struct {
	zeros
	io.Reader
}

func (t talker) Read(b []byte) (int, error) { return t.Reader.Read(b) }

func TestStreamsWithoutKeyAreLookedAt(t *testing.T) {
	node := packed("Name", "n", "Addr", []byte{127, 0, 0, 1}, "Port", 7946, "Meta", []byte(nil))
	for _, tc := range []struct {
		name string
		says []byte
		want []byte // what is passed on; nil: the same
		bad  bool   // it ends with an error
	}{
		{"nothing", nil, nil, false},
		{"a ping", append([]byte{streamPing}, packed("SeqNo", 1, "Node", "n")...), nil, false},
		{"no nodes", header(0, 0), nil, false},
		{"two nodes", append(append(header(2, 0), node...), node...), nil, false},
		{"a node and state", append(append(header(1, 3), node...), "abc"...), nil, false},
		{"a message", append(append([]byte{streamUser}, packed("UserMsgLen", 2)...), "ab"...), nil, false},
		{"compressed", compressed(append(header(1, 0), node...)), append(header(1, 0), node...), false},
		{"what memberlist refuses by its kind", []byte{10, 1, 2, 3}, []byte{10}, false},

		{"a million nodes", header(1<<20-1, 0), nil, true},
		{"a million nodes, compressed", compressed(header(1<<20-1, 0)), nil, true},
		{"20 MiB of state", header(0, 20<<20), nil, true},
		{"more than there can be", header(1<<31-1, 0), nil, true},
		{"20 MiB of a message", append([]byte{streamUser}, packed("UserMsgLen", 20<<20)...), nil, true},
		{"a claim twice", claims("Nodes", 0, "UserStateLen", 0, "Join", false, "Nodes", 1<<20), nil, true},
		{"a claim left out", claims("Nodes", 0, "Join", false), nil, true},
		{"a claim by another name", claims("Nodes", 0, "UserStateLen", 0, "nodes", 1), nil, true},
		{"a claim that is a text", claims("Nodes", "many", "UserStateLen", 0, "Join", false), nil, true},
		{"a list", append([]byte{streamPushPull}, 0x93, 0xff, 0, 0), nil, true},
		{"a name of 4 GB", append(header(1, 0), packed("Name", raw{0xdb, 0xff, 0xff, 0xff, 0xff})...), nil, true},
		{"a time of 4 GB", append(header(1, 0), packed("x", raw{0xc9, 0xff, 0xff, 0xff, 0xff, 0xff})...), nil, true},
		{"a list of lists", append(header(1, 0), packed("x", raw{0x91, 0x91, 0x91})...), nil, true},
		{"a map of 65535", append(header(1, 0), 0xde, 0xff, 0xff), nil, true},
		{"40 MB out of little", compressed(make([]byte, 40<<20)), nil, true},
		{"cut off", append(header(2, 0), node...), nil, true},
		{"no compressed bytes", append([]byte{streamCompress}, packed("Algo", 0)...), nil, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tr := newTransport(t)
			tr.keyless.Store(true)
			label := append([]byte{streamLabel, 5}, "label"...)
			s := tr.track(talker{Reader: bytes.NewReader(slices.Concat(label, tc.says))}, true)
			got, err := io.ReadAll(tr.checked(s, false))
			if (err != nil) != tc.bad {
				t.Errorf("it ends with %v", err)
			}
			want := tc.says
			if tc.want != nil {
				want = tc.want
			}
			if want = slices.Concat(label, want); !tc.bad && len(tc.says) > 0 && !bytes.Equal(got, want) {
				t.Errorf("passed on\n%q, want\n%q", got, want)
			}
			_ = s.Close()
			if tr.streaming != 0 {
				t.Errorf("%d bytes are counted when it has gone", tr.streaming)
			}
		})
	}
}

// As many strangers as there may be claim as much as they can. What they get allocated is what they have sent.
func TestClaimsAllocateNothing(t *testing.T) {
	b, err := New(WithoutEncryption(), WithBind("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{c: &cluster{t: t}, addr: netip.MustParseAddr("127.0.0.1"), b: b}
	p.announce(record("", 1))
	to := p.session().transport.bound.String()
	group := label(discovery.DefaultGroup)
	says := append(append([]byte{streamLabel, byte(len(group))}, group...), header(1<<20-1, 0)...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 3 * maxStreams {
		c, err := net.Dial("tcp", to)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write(says); err == nil {
			_, _ = c.Read(make([]byte, 1)) // until it is read and refused
		}
		_ = c.Close()
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 64<<20 {
		t.Errorf("%d MB were allocated", got>>20)
	}
}

// Members without a key understand each other all the same, by small and by large messages.
func TestMembersWithoutKey(t *testing.T) {
	c := newOpenCluster(t, WithoutEncryption(), fast)
	for range 4 {
		p := c.member()
		r := record("", 10)
		r.Meta = map[string]string{"text": strings.Repeat("long ", 40)}
		p.announce(r)
		p.watch()
		if c.seed == "" {
			c.seed = p.session().transport.public.String()
		}
	}
	c.allSee(c.peers...)
	p := c.peers[2]
	p.leave()
	c.peers[0].log.About(discovery.Left, p.rec.ID)
}
