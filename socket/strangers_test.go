package socket_test

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// TestWhatStrangersCanHold: figures of the package's documentation, measured. Both ends of each connection are in
// this process and count.
func TestWhatStrangersCanHold(t *testing.T) {
	const (
		strangers = 20
		ends      = 4 << 10 // of the stranger's own side
	)
	var largest []zmtp.Property
	for i := range 62 {
		largest = append(largest, zmtp.Property{Name: fmt.Sprintf("X-%02d", i), Value: make([]byte, 55)})
	}
	shaken := func(more ...zmtp.Property) []byte { return append(greeting(3, 1), readyOf("DEALER", more...)...) }
	many := bytes.Repeat(messageOf("x"), 10_000)
	doc, err := os.ReadFile("doc.go")
	must(t, err)
	for _, tt := range []struct {
		name  string
		send  []byte
		peers int // that come of it
		most  int
		row   string // of the table
	}{
		{"shaking hands", greeting(3, 1)[:11], 0, 16 << 10, "16 KiB      16 MiB"},
		{"connected, idle", shaken(), strangers, 8 << 10, "8 KiB       8 MiB"},
		{"its READY as large as may be", shaken(largest...), strangers, (8 + 16) << 10, "16 KiB      16 MiB"},
		{"what messages are read into", append(shaken(), many...), strangers, (8 + 48) << 10, "48 KiB      47 MiB"},
		{
			"a part of a message", joined(shaken(), claim(0, 60<<20), make([]byte, 60_000)), strangers, (8 + 96) << 10,
			"96 KiB      94 MiB",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := socket.NewDealer(socket.WithRecvHWM(0), socket.WithHeartbeat(0, 0, 0))
			defer shut(t, s)
			at := bind(t, s, "tcp://127.0.0.1:*")
			ctx := within(t)
			heap := heapNow()
			for range strangers {
				rawDial(t, at).send(tt.send)
			}
			must(t, s.WaitPeers(ctx, tt.peers))
			for n := bytes.Count(tt.send, messageOf("x")) / 10_000 * 10_000 * strangers; n > 0; n-- {
				_, err := s.Recv(ctx)
				must(t, err)
			}
			if each := int(heapNow()-heap)/strangers - ends; each > tt.most {
				t.Errorf("%d bytes held for each, want at most %d", each, tt.most)
			}
			if !regexp.MustCompile(`\t` + tt.name + ` +` + tt.row).Match(doc) {
				t.Errorf("the documentation does not say %q of %q", tt.row, tt.name)
			}
		})
	}
	for _, size := range []int{20, 1024} {
		t.Run(fmt.Sprintf("topics of %d bytes", size), func(t *testing.T) {
			const topics = 1000
			pub := socket.NewPub()
			defer shut(t, pub)
			r := rawDial(t, bind(t, pub, "tcp://127.0.0.1:*"))
			r.shake("SUB")
			waitPeers(t, pub, 1)
			heap := heapNow()
			last := ""
			for i := range topics {
				last = fmt.Sprintf("%06d%s", i, strings.Repeat("x", size-6))
				r.send(subscribeThen(last))
			}
			must(t, pub.WaitSubscribers(within(t), last, 1))
			if each, most := int(heapNow()-heap)/topics, 5*size/2+100; each > most {
				t.Errorf("%d bytes held for each topic, want at most %d", each, most)
			}
		})
	}
}

func joined(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
