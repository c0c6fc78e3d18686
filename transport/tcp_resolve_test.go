package transport

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// fakeDNS answers every question with one address, or with several, in memory.
type fakeDNS struct {
	answer atomic.Value // netip.Addr or, for several, addrs
	asked  atomic.Int64
	wg     sync.WaitGroup
}

// addrs are the answers of a fakeDNS that has several.
type addrs []netip.Addr

func (d *fakeDNS) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		d.wg.Go(func() { d.serve(server) })
		return client, nil
	}}
}

// serve speaks DNS over a stream (RFC 1035, 4.2.2): each message has its
// length in front.
func (d *fakeDNS) serve(c net.Conn) {
	defer c.Close()
	for {
		var size [2]byte
		if _, err := io.ReadFull(c, size[:]); err != nil {
			return
		}
		query := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(c, query); err != nil {
			return
		}
		reply := d.reply(query)
		if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...)); err != nil {
			return
		}
	}
}

func (d *fakeDNS) reply(query []byte) []byte {
	d.asked.Add(1)
	const header = 12
	end := header
	for query[end] != 0 { // over the labels of the name
		end += int(query[end]) + 1
	}
	end += 1 + 4 // root, type, class
	question := query[header:end]
	kind := binary.BigEndian.Uint16(question[len(question)-4:])

	ips, several := d.answer.Load().(addrs)
	if !several {
		ips = addrs{d.answer.Load().(netip.Addr)}
	}
	var answers []byte
	count := byte(0)
	for _, ip := range ips {
		wanted := uint16(28) // AAAA
		if ip.Is4() {
			wanted = 1
		}
		if kind != wanted {
			continue
		}
		count++
		answers = append(answers, 0xc0, header) // the name in the question
		answers = binary.BigEndian.AppendUint16(answers, kind)
		answers = append(answers, 0, 1, 0, 0, 0, 60) // IN, for a minute
		answers = binary.BigEndian.AppendUint16(answers, uint16(ip.BitLen()/8))
		answers = append(answers, ip.AsSlice()...)
	}
	// Same id; a recursive answer without error; one question.
	return slices.Concat(query[:2], []byte{0x81, 0x80, 0, 1, 0, count, 0, 0, 0, 0}, question, answers)
}

func TestTCPResolvesAnew(t *testing.T) {
	needIPv6(t)
	var dns fakeDNS
	t.Cleanup(dns.wg.Wait)
	tr := &TCP{Resolver: dns.resolver()}
	l := listen(t, tr, "*:0")
	_, port, _ := net.SplitHostPort(l.Address())

	for _, ip := range []string{"127.0.0.1", "::1", "127.0.0.1"} {
		dns.answer.Store(netip.MustParseAddr(ip))
		before := dns.asked.Load()
		c := dial(t, tr, "peer.yodel.test.:"+port)
		accept(t, l)
		if got := c.RemoteAddr().(*net.TCPAddr).IP.String(); got != ip {
			t.Errorf("dialled %s, want %s", got, ip)
		}
		if dns.asked.Load() == before {
			t.Error("nobody was asked")
		}
	}

	t.Run("listen", func(t *testing.T) {
		dns.answer.Store(netip.MustParseAddr("::1"))
		if l := listen(t, tr, "peer.yodel.test.:0"); !strings.HasPrefix(l.Address(), "[::1]:") {
			t.Errorf("bound %s", l.Address())
		}
	})
}
