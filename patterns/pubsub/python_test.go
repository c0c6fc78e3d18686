package pubsub_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/patterns/pubsub"
)

// python is an interpreter that has pyzmq and msgpack. Debian's packages belong to the first.
var python = sync.OnceValues(func() (string, error) {
	var errs []string
	for _, name := range []string{"/usr/bin/python3", "python3"} {
		out, err := exec.Command(name, "-c", "import zmq, msgpack").CombinedOutput()
		if err == nil {
			return name, nil
		}
		errs = append(errs, fmt.Sprint(name, ": ", err, ": ", string(out)))
	}
	return "", fmt.Errorf("pyzmq or msgpack-python is missing; install python3-zmq and python3-msgpack: %s",
		strings.Join(errs, "; "))
})

// A peer is a Python process that runs testdata/peers.py.
type peer struct {
	cmd *exec.Cmd
	out *bufio.Scanner
}

// run starts a function of the script.
func run(t *testing.T, function string, args ...string) *peer {
	t.Helper()
	name, err := python()
	if err != nil && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	must(t, err)
	p := &peer{cmd: exec.CommandContext(within(t), name, append([]string{"testdata/peers.py", function}, args...)...)}
	p.cmd.Stderr = os.Stderr
	in, err := p.cmd.StdinPipe() // whose end ends the process
	must(t, err)
	out, err := p.cmd.StdoutPipe()
	must(t, err)
	must(t, p.cmd.Start())
	p.out = bufio.NewScanner(out)
	t.Cleanup(func() {
		in.Close()
		_ = p.cmd.Wait()
	})
	return p
}

// says returns the next n lines that the process prints.
func (p *peer) says(t *testing.T, n int) (lines []string) {
	t.Helper()
	for len(lines) < n {
		if !p.out.Scan() {
			t.Fatalf("the peer has ended after %q: %v", lines, p.out.Err())
		}
		lines = append(lines, p.out.Text())
	}
	return lines
}

type quote struct {
	Price float64
	Note  string
}

// A SUB of libzmq gets what begins with what it has subscribed to, and what it gets is msgpack.
func TestForeignSubscriber(t *testing.T) {
	p := closing(t, pubsub.NewPublisher[quote]())
	at := bound(t, p, "tcp://127.0.0.1:*")
	sub := run(t, "sub", at, "quotes.", "quotes.eu.", "news")
	must(t, p.WaitBindings(within(t), 3))
	for i, subject := range []string{"quotes.eu.sap", "quote", "news", "newspaper", "other.quotes.eu", "quotes.us"} {
		must(t, p.Publish(within(t), subject, quote{Price: float64(i), Note: "é"}))
	}
	want := []string{
		"quotes.eu.sap {'n': 1} {'Note': 'é', 'Price': 0.0}",
		"news {'n': 3} {'Note': 'é', 'Price': 2.0}",
		"newspaper {'n': 4} {'Note': 'é', 'Price': 3.0}",
		"quotes.us {'n': 6} {'Note': 'é', 'Price': 5.0}",
	}
	if got := sub.says(t, len(want)); !slices.Equal(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
}

// A PUB of libzmq is subscribed to by the literal beginnings of patterns; what does not match these is filtered out.
func TestForeignPublisher(t *testing.T) {
	pub := run(t, "pub", "2")
	s := closing(t, pubsub.NewSubscriber[any]())
	for _, pattern := range []string{"quotes.*.sap", "news"} {
		must(t, s.Subscribe(pattern))
	}
	must(t, s.Connect(pub.says(t, 1)[0]))
	got := values(take(t, s, 4))
	want := []string{"quotes.eu.sap=map[Price:1.5]", "quotes.us.sap=4", "news=<nil>", "quotes.x.sap=map[tenant:blue]"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	// quotes.eu.bmw and newspaper begin as what is subscribed to; quotes.y.sap has four frames, quotes.z.sap no head.
	if st := s.Stats(); st.Filtered != 2 || st.Undecodable != 2 || st.Missed != 0 {
		t.Errorf("%+v", st)
	}
}

// With the codec Bytes a subscriber takes what any program publishes.
func TestForeignPublisherOfBytes(t *testing.T) {
	pub := run(t, "pub", "1")
	s := closing(t, pubsub.NewSubscriber[string](pubsub.WithCodec(patterns.Bytes())))
	must(t, s.Subscribe("plain.>"))
	must(t, s.Connect(pub.says(t, 1)[0]))
	if got := values(take(t, s, 1)); !slices.Equal(got, []string{"plain.text=hello"}) {
		t.Errorf("%q", got)
	}
}
