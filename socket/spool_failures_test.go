package socket_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/spool"
	"github.com/yodel-mq/yodel/transport/simnet"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// TestSpoolFailure has what can fail under and around a socket with a spool, each under the name by which users and the
// documentation speak of it. What becomes of the files alone is shown in package spool.
func TestSpoolFailure(t *testing.T) {
	for _, row := range []struct {
		name string
		run  func(t *testing.T)
	}{
		{"sender kill -9", failureSenderKilled},
		{"receiver kill -9, memory", failureReceiverKilled},
		{"receiver's state directory deleted", failureStateLost},
		{"connection cut anywhere, any number of times", failureCutAnywhere},
		{"disk full", failureDiskFull},
		{"write EIO once", func(t *testing.T) { failureOnce(t, "write") }},
		{"sync EIO once", func(t *testing.T) { failureOnce(t, "sync") }},
		{"disk dead", failureDiskDead},
		{"one bit flipped, at rest", failureBitFlipped},
		{"spool directory copied or rolled back", failureCopied},
	} {
		t.Run(row.name, func(t *testing.T) { bubble(t, row.run) })
	}
	t.Run("peer is libzmq or old", failureForeignPeer)
}

// A failingDisk is a medium of which some changes fail.
type failingDisk struct {
	*medium
	failing sync.Mutex
	fails   map[string]int // how many more changes of a kind fail: "write", "sync", "names"; below 0 all
}

type failingFile struct {
	spool.File
	d *failingDisk
}

func newFailingDisk() *failingDisk {
	return &failingDisk{medium: newMedium(), fails: make(map[string]int)}
}

// image is what another process finds on the disk at this moment. What this one does later it does to another disk.
func (d *failingDisk) image() *failingDisk {
	return &failingDisk{medium: d.copied(), fails: make(map[string]int)}
}

// breaks has so many changes fail.
func (d *failingDisk) breaks(n int, kinds ...string) {
	d.failing.Lock()
	defer d.failing.Unlock()
	for _, kind := range kinds {
		d.fails[kind] = n
	}
}

// change says whether a change fails.
func (d *failingDisk) change(kind string) error {
	d.failing.Lock()
	defer d.failing.Unlock()
	if d.fails[kind] == 0 {
		return nil
	}
	d.fails[kind] = max(d.fails[kind]-1, -1)
	return syscall.EIO
}

func (d *failingDisk) file(f spool.File, err error) (spool.File, error) {
	if err != nil {
		return nil, err
	}
	return failingFile{f, d}, nil
}

func (d *failingDisk) Create(name string) (spool.File, error) {
	if err := d.change("names"); err != nil {
		return nil, err
	}
	return d.file(d.medium.Create(name))
}

func (d *failingDisk) Open(name string) (spool.File, error) { return d.file(d.medium.Open(name)) }

func (d *failingDisk) Remove(name string) error {
	if err := d.change("names"); err != nil {
		return err
	}
	return d.medium.Remove(name)
}

func (d *failingDisk) Rename(from, to string) error {
	if err := d.change("names"); err != nil {
		return err
	}
	return d.medium.Rename(from, to)
}

func (d *failingDisk) SyncDir() error { return d.change("sync") }

func (f failingFile) WriteVec(b [][]byte, off int64) error {
	if err := f.d.change("write"); err != nil {
		return err
	}
	return f.File.WriteVec(b, off)
}

func (f failingFile) Sync() error { return f.d.change("sync") }

// A spoolLife is one of a sender's, on host "cli", from the opening of its spool on.
type spoolLife struct {
	*socket.Push
	q    *spool.Spool
	disk *failingDisk

	mu     sync.Mutex
	events []spool.Event
}

func sendFrom(t testing.TB, net *simnet.Network, disk *failingDisk, opts spool.Options) *spoolLife {
	t.Helper()
	l := &spoolLife{disk: disk}
	opts.FS, opts.SegmentBytes = disk, 64<<10
	opts.Events = func(e spool.Event) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.events = append(l.events, e)
	}
	l.q = openSpool(t, "medium", opts)
	l.Push = socket.NewPush(on(net, "cli"), socket.WithSpool(l.q))
	must(t, l.Connect(server))
	return l
}

// told counts the spool's events of a kind.
func (l *spoolLife) told(kind spool.EventKind) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.events {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

// end ends it in order, and returns the disk.
func (l *spoolLife) end(t testing.TB) *failingDisk {
	t.Helper()
	must(t, l.Close())
	balanced(t, l.Push)
	must(t, l.q.Close())
	return l.disk
}

// kill ends it at this moment, and returns the disk as it is then: neither the peer nor the disk see more of it.
func (l *spoolLife) kill(t testing.TB, net *simnet.Network) *failingDisk {
	t.Helper()
	net.Partition("cli")
	net.Cut("cli")
	left := l.disk.image()
	must(t, l.Close())
	must(t, l.q.Close())
	net.Heal()
	return left
}

// All for which Send has returned nil arrives, in order; the receiver drops what comes again.
func failureSenderKilled(t *testing.T) {
	net := simnet.New(simnet.Config{Latency: time.Millisecond})
	pull := socket.NewPull(on(net, "srv"))
	bindAt(t, pull)
	disk, got := newFailingDisk(), 0
	for life := range 6 {
		l := sendFrom(t, net, disk, spool.Options{})
		sendAll(t, l, life*50, 50)
		recvAll(t, pull, got, 35) // of these some are acknowledged, and few settled on disk
		got += 35
		time.Sleep(time.Duration(life) * 2 * time.Millisecond)
		disk = l.kill(t, net)
	}
	l := sendFrom(t, net, disk, spool.Options{})
	recvAll(t, pull, got, 300-got)
	must(t, l.Shutdown(aDay(t)))
	nothing(t, pull)
	l.end(t)
	if n := l.told(spool.Damaged) + l.told(spool.Torn); n > 0 {
		t.Errorf("%d times the spool has told of damage", n)
	}
	if n := l.q.Stats().Live.Messages; n > 0 {
		t.Errorf("%d messages are left", n)
	}
	shut(t, pull)
}

// Nothing is lost, and what comes twice says so.
func failureReceiverKilled(t *testing.T) {
	net := simnet.New(simnet.Config{Latency: time.Millisecond})
	l := sendFrom(t, net, newFailingDisk(), spool.Options{})
	times := make(map[int]int)
	next := func(pull *socket.Pull) {
		t.Helper()
		d, err := pull.Next(aDay(t))
		must(t, err)
		n := number(d.Msg)
		if times[n]++; times[n] > 1 && !d.Redelivered {
			t.Errorf("message %d comes again, and does not say so", n)
		}
	}
	pull := socket.NewPull(on(net, "srv"))
	bindAt(t, pull)
	sendAll(t, l, 0, 100)
	for range 20 {
		next(pull)
	}
	time.Sleep(time.Second)
	net.Partition("srv")
	for range 10 { // of these the sender does not hear
		next(pull)
	}
	net.Cut("srv")
	must(t, pull.Close())
	net.Heal()
	pull = socket.NewPull(on(net, "srv"))
	bindAt(t, pull)
	for range 80 {
		next(pull)
	}
	must(t, l.Shutdown(aDay(t)))
	if len(times) != 100 {
		t.Errorf("%d of 100 messages have come", len(times))
	}
	if st := l.Stats(); st.Redelivered.Messages < 10 {
		t.Errorf("PUSH counts %v redelivered; %v", st.Redelivered, st.Ledger)
	}
	event(t, l.Push, socket.Redelivered)
	l.end(t)
	shut(t, pull)
}

// All that is not settled goes again, and the sender is told that the receiver knows nothing of it.
func failureStateLost(t *testing.T) {
	net := simnet.New(simnet.Config{Latency: time.Millisecond})
	q := openSpool(t, "medium", spool.Options{FS: newFailingDisk()})
	push := socket.NewPush(on(net, "srv"), socket.WithSpool(q))
	bindAt(t, push)
	sendAll(t, push, 0, 5)
	join := func(known uint8, next uint64) {
		t.Helper()
		r := rawSim(t, net, "cli")
		r.shake("PULL", yodelOf(zmtp.FeatureReliable, 7, ""))
		if f := r.frame(); f.command() != zmtp.CommandOpen {
			t.Fatalf("%x %q came, want OPEN", f.flags, f.body)
		}
		o := zmtp.Opened{Known: known, Next: next, Floor: 1, Receiver: [16]byte{7}}
		for _, c := range o.Commands() {
			r.send(zmtp.AppendCommand(nil, c.Name, c.Data))
		}
		for range 5 {
			f := r.frame()
			for f.flags&zmtp.FlagCommand != 0 {
				f = r.frame()
			}
		}
		r.Close()
		time.Sleep(time.Second)
	}
	join(0, 1)
	join(1, 1) // it has its state, and has stored nothing
	join(0, 1)
	told := 0
	for told < 1 {
		if e := event(t, push, socket.StateLost); e.Peer != nil {
			told++
		}
	}
	if st := push.Stats(); st.Delivered.Messages > 0 || len(st.Dropped) > 0 {
		t.Errorf("PUSH counts %v", st.Ledger)
	}
	must(t, push.Close())
	must(t, q.Close())
}

// Send says so at once, what is there is delivered, and makes room again.
func failureDiskFull(t *testing.T) {
	net := simnet.New(simnet.Config{Latency: time.Millisecond})
	disk := newFailingDisk()
	disk.set(func(m *medium) { m.left = 600 << 10 })
	l := sendFrom(t, net, disk, spool.Options{Overflow: spool.Reject})
	n := 0
	for err := error(nil); err == nil && n < 10_000; {
		began := time.Now()
		err = l.Send(aDay(t), numbered(n, 1000))
		switch took := time.Since(began); {
		case err == nil:
			n++
		case !errors.Is(err, socket.ErrSpoolFull) || !errors.Is(err, syscall.ENOSPC) || took > 100*time.Millisecond:
			t.Errorf("with %d messages Send says %v after %v", n, err, took)
		}
	}
	time.Sleep(time.Second)
	if st := l.Stats(); l.told(spool.Full) != 1 || st.Spooled.Messages != uint64(n) || n < 200 {
		t.Errorf("Full was told %d times; PUSH counts %v", l.told(spool.Full), st.Ledger)
	}
	disk = l.end(t) // it opens on the full disk too
	l = sendFrom(t, net, disk, spool.Options{Overflow: spool.Reject})
	if err := l.Send(aDay(t), numbered(n, 1000)); !errors.Is(err, socket.ErrSpoolFull) {
		t.Errorf("after it was opened again Send says %v", err)
	}
	pull := socket.NewPull(on(net, "srv"))
	bindAt(t, pull)
	recvAll(t, pull, 0, n)
	settledAll(t, l.Push)
	time.Sleep(time.Second) // then this is on disk, and files are removed
	sendAll(t, l, n, 10)
	recvAll(t, pull, n, 10)
	must(t, l.Shutdown(aDay(t)))
	l.end(t)
	shut(t, pull)
}

// Nobody notices, but for who listens to the spool.
func failureOnce(t *testing.T, kind string) {
	net := simnet.New(simnet.Config{Latency: time.Millisecond})
	pull := socket.NewPull(on(net, "srv"))
	bindAt(t, pull)
	l := sendFrom(t, net, newFailingDisk(), spool.Options{})
	sendAll(t, l, 0, 10)
	l.disk.breaks(1, kind)
	sendAll(t, l, 10, 40)
	recvAll(t, pull, 0, 30)
	disk := l.kill(t, net)
	if failing, healthy := l.told(spool.Failing), l.told(spool.Healthy); failing != 1 || healthy != 1 {
		t.Errorf("Failing was told %d times, Healthy %d times", failing, healthy)
	}
	l = sendFrom(t, net, disk, spool.Options{})
	sendAll(t, l, 50, 10)
	recvAll(t, pull, 30, 30)
	must(t, l.Shutdown(aDay(t)))
	nothing(t, pull)
	l.end(t)
	shut(t, pull)
}

// Send says so; what is under way is received, and what was received is not sent again.
func failureDiskDead(t *testing.T) {
	net := simnet.New(simnet.Config{Latency: time.Millisecond})
	pull := socket.NewPull(on(net, "srv"))
	bindAt(t, pull)
	l := sendFrom(t, net, newFailingDisk(), spool.Options{})
	sendAll(t, l, 0, 50)
	recvAll(t, pull, 0, 10)
	time.Sleep(time.Second)
	l.disk.breaks(-1, "write", "sync", "names")
	if err := l.Send(aDay(t), numbered(50, 20)); !errors.Is(err, spool.ErrUncertain) || !errors.Is(err, syscall.EIO) {
		t.Errorf("the first Send says %v", err)
	}
	for range 3 {
		if err := l.Send(aDay(t), numbered(51, 20)); !errors.Is(err, syscall.EIO) || errors.Is(err, spool.ErrUncertain) {
			t.Errorf("a later Send says %v", err)
		}
	}
	recvAll(t, pull, 10, 40)
	time.Sleep(time.Second)
	if st := l.Stats(); st.Delivered.Messages != 50 || st.Accepted.Messages != 50 {
		t.Errorf("PUSH counts %v", st.Ledger)
	}
	balanced(t, l.Push)
	net.Cut("cli") // what was received does not come again with the next connection
	time.Sleep(time.Minute)
	nothing(t, pull)
	if l.told(spool.Failing) == 0 || l.told(spool.Healthy) > 0 || l.q.Stats().Failing == nil {
		t.Errorf("Failing was told %d times, Healthy %d times", l.told(spool.Failing), l.told(spool.Healthy))
	}
	left := l.disk.image()
	must(t, l.Close())
	if l.q.Close() == nil {
		t.Error("closing the spool is no error")
	}
	// On the disk they are, and this receiver has had them.
	l = sendFrom(t, net, left, spool.Options{})
	sendAll(t, l, 60, 1)
	m, err := pull.Recv(aDay(t))
	must(t, err)
	if number(m) == 50 { // of unknown outcome
		recvAll(t, pull, 60, 1)
	} else if number(m) != 60 {
		t.Errorf("received %d", number(m))
	}
	must(t, l.Shutdown(aDay(t)))
	l.end(t)
	shut(t, pull)
}

// The message that is hit is counted as damaged; all others are delivered.
func failureBitFlipped(t *testing.T) {
	net := simnet.New(simnet.Config{Latency: time.Millisecond})
	l := sendFrom(t, net, newFailingDisk(), spool.Options{})
	text := func(n int) string { return fmt.Sprintf("message %d ", n) }
	for n := range 100 {
		must(t, l.Send(aDay(t), socket.Text(text(n), strings.Repeat("x", 2000))))
	}
	disk, hit := l.end(t), 0
	for _, f := range disk.files {
		for _, n := range []int{20, 98} { // of a file that is read later, and of the one that is read to be opened
			if at := bytes.Index(f.b, []byte(text(n))); at > 0 {
				f.b[at] ^= 1
				hit++
			}
		}
	}
	l = sendFrom(t, net, disk, spool.Options{})
	pull := socket.NewPull(on(net, "srv"))
	bindAt(t, pull)
	for n := range 100 {
		if n == 20 || n == 98 {
			continue
		}
		m, err := pull.Recv(aDay(t))
		must(t, err)
		if got := string(m.Frames[0]); got != text(n) {
			t.Fatalf("received %q, want message %d", got, n)
		}
	}
	must(t, l.Shutdown(aDay(t)))
	// What was found lost by Open this socket has never had.
	if st := l.Stats(); hit != 2 || st.Recovered.Messages != 99 || st.Dropped[socket.Damaged].Messages != 1 ||
		st.Delivered.Messages != 98 {
		t.Errorf("hit were %d, PUSH counts %v", hit, st.Ledger)
	}
	if n := l.q.Stats().Damaged.Messages; n != 2 || l.told(spool.Damaged) != 2 {
		t.Errorf("the spool counts %d, Damaged was told %d times", n, l.told(spool.Damaged))
	}
	nothing(t, pull)
	l.end(t)
	shut(t, pull)
}

// A copy is refused, and says so; as a fork, which has to be asked for, it is taken.
func failureCopied(t *testing.T) {
	net := simnet.New(simnet.Config{Latency: time.Millisecond})
	pull := socket.NewPull(on(net, "srv"))
	bindAt(t, pull)
	l := sendFrom(t, net, newFailingDisk(), spool.Options{})
	sendAll(t, l, 0, 10)
	recvAll(t, pull, 0, 10)
	settledAll(t, l.Push)
	snapshot := l.end(t).image()
	l = sendFrom(t, net, l.disk, spool.Options{})
	sendAll(t, l, 10, 10)
	recvAll(t, pull, 10, 10)
	settledAll(t, l.Push)
	l.end(t)

	l = sendFrom(t, net, snapshot, spool.Options{}) // put back to where it was
	sendAll(t, l, 20, 5)                            // with numbers that the receiver has had
	event(t, l.Push, socket.Forked)
	time.Sleep(time.Minute)
	nothing(t, pull)
	if st := l.Stats(); st.Delivered.Messages != 0 || st.Spooled.Messages != 5 {
		t.Errorf("PUSH counts %v", st.Ledger)
	}
	l.end(t)
	l = sendFrom(t, net, snapshot, spool.Options{Fork: true})
	recvAll(t, pull, 20, 5)
	must(t, l.Shutdown(aDay(t)))
	nothing(t, pull)
	l.end(t)
	shut(t, pull)
}

// Wherever the connection is cut, and however often: PeerDown and PeerUp tell of it, and everything arrives once and in
// order.
func failureCutAnywhere(t *testing.T) {
	net := simnet.New(simnet.Config{
		Latency: time.Millisecond, Jitter: time.Millisecond, Seed: 1, CutPerKiB: 0.7, Window: 512,
	})
	q := onMedium(t, newMedium(), spool.Options{})
	push, pull := socket.NewPush(on(net, "cli"), socket.WithSpool(q)), socket.NewPull(on(net, "srv"))
	bindAt(t, pull)
	must(t, push.Connect(server))
	trade(t, push, pull, 600)
	if cuts := net.Stats().Cuts; cuts < 5 {
		t.Errorf("%d cuts are not enough to show anything", cuts)
	}
	event(t, push, socket.PeerDown)
	event(t, push, socket.PeerUp)
	shut(t, push)
	shut(t, pull)
	must(t, q.Close())
}

// A peer that acknowledges nothing gets each message once.
func failureForeignPeer(t *testing.T) {
	q := openSpool(t, t.TempDir(), spool.Options{})
	push := closing(t, socket.NewPush(socket.WithSpool(q)))
	t.Cleanup(func() { must(t, push.Close()); must(t, q.Close()) })
	at := bind(t, push, "tcp://127.0.0.1:*")
	conn := rawPeer(t, at, "PULL")
	event(t, push, socket.PeerForeign)
	for range 10 {
		send(t, push, "message")
	}
	b := make([]byte, 10*9)
	readFull(t, conn, b)
	waitUntil(t, "all is settled", func() bool { return q.Stats().Live.Messages == 0 })
	if st := push.Stats(); st.Delivered.Messages != 10 || st.AtMostOnce.Messages != 10 {
		t.Errorf("PUSH counts %v, %v at most once", st.Ledger, st.AtMostOnce)
	}
}
