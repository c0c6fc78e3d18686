package gossip

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/memberlist"
)

const (
	packetBuffer  = 2 << 20 // asked of the kernel
	bindAttempts  = 10
	acceptBackOff = 50 * time.Millisecond
)

var errDown = errors.New("gossip: closed")

// A transport carries packets and streams for memberlist. Unlike memberlist's own it bounds what strangers can make
// it hold before they have shown a key, looks up no names for them, and ends what is under way when it is shut down.
type transport struct {
	udp    *net.UDPConn
	tcp    *net.TCPListener
	bound  netip.AddrPort // with a port; the address may be unspecified
	public netip.AddrPort // to advertise; of the session once there is one

	first *instanceTransport
	done  context.Context //nolint:containedctx // memberlist's calls have none: it ends their dials
	stop  context.CancelFunc
	wg    sync.WaitGroup

	// cut, in tests, loses what goes to an address.
	cut func(netip.Addr) bool

	keyless atomic.Bool // there is no key, so that anybody can have anything read

	mu        sync.Mutex
	instances []*instanceTransport // the latest last
	open      map[*stream]struct{}
	opened    uint64 // streams so far
	in        int    // streams of others, and how many from each source
	perSource map[netip.Addr]int
	streaming int // bytes read from them
}

// listen binds UDP and TCP to the same port.
func listen(bind string, public netip.AddrPort, cut func(netip.Addr) bool) (*transport, error) {
	t := &transport{
		cut: cut, open: make(map[*stream]struct{}), perSource: make(map[netip.Addr]int),
	}
	t.done, t.stop = context.WithCancel(context.Background())
	host, port, err := net.SplitHostPort(bind)
	if err != nil {
		return nil, badOption("bind %.80q: %v", bind, err)
	}
	for range bindAttempts { // a port that is free for TCP may not be for UDP
		if err = t.bind(host, port); err == nil || port != "0" || !errors.Is(err, syscall.EADDRINUSE) {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	if t.public = public; !public.Addr().IsValid() {
		t.public = netip.AddrPortFrom(t.bound.Addr(), 0)
		if t.bound.Addr().IsUnspecified() {
			t.public = netip.AddrPortFrom(ownAddr(), 0)
		}
	}
	if t.public.Port() == 0 {
		t.public = netip.AddrPortFrom(t.public.Addr(), t.bound.Port())
	}
	t.first = t.addInstance(t.public)
	t.wg.Go(t.readPackets)
	t.wg.Go(t.accept)
	return t, nil
}

func (t *transport) bind(host, port string) error {
	var lc net.ListenConfig
	l, err := lc.Listen(t.done, "tcp", net.JoinHostPort(host, port))
	if err != nil {
		return err
	}
	bound := l.Addr().(*net.TCPAddr).AddrPort()
	p, err := lc.ListenPacket(t.done, "udp", net.JoinHostPort(host, strconv.Itoa(int(bound.Port()))))
	if err != nil {
		_ = l.Close()
		return err
	}
	t.tcp, t.udp = l.(*net.TCPListener), p.(*net.UDPConn)
	t.bound = netip.AddrPortFrom(bound.Addr().Unmap(), bound.Port())
	_ = t.udp.SetReadBuffer(packetBuffer) // as much of it as the kernel allows
	return nil
}

// readPackets hands on what comes, in a copy of its size.
func (t *transport) readPackets() {
	buf := make([]byte, 64<<10)
	for {
		n, from, err := t.udp.ReadFromUDPAddrPort(buf)
		if err != nil {
			if t.done.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			t.pause() // an error of one packet; it must not spin when there is one for each
			continue
		}
		if n == 0 {
			continue
		}
		p := &memberlist.Packet{
			Buf: append([]byte(nil), buf[:n]...), From: net.UDPAddrFromAddrPort(from), Timestamp: time.Now(),
		}
		for _, s := range t.currentInstances() {
			select {
			case s.packets <- p:
			case <-s.left:
			case <-t.done.Done():
				return
			}
		}
	}
}

func (t *transport) accept() {
	for {
		c, err := t.tcp.AcceptTCP()
		if err != nil {
			if t.done.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			t.pause()
			continue
		}
		s := t.track(c, true)
		if s == nil {
			continue
		}
		instances := t.currentInstances()
		if len(instances) == 0 {
			_ = s.Close()
			continue
		}
		last := instances[len(instances)-1]
		select {
		case last.streams <- t.checked(s, false):
		case <-last.left:
			_ = s.Close()
		case <-t.done.Done():
			_ = s.Close()
			return
		}
	}
}

func (t *transport) pause() {
	timer := time.NewTimer(acceptBackOff)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.done.Done():
	}
}

// WriteTo implements [memberlist.Transport].
func (t *transport) WriteTo(b []byte, addr string) (time.Time, error) {
	return t.WriteToAddress(b, memberlist.Address{Addr: addr})
}

// WriteToAddress implements [memberlist.NodeAwareTransport]. addr is numeric: what it is has come from others, and is
// not looked up.
func (t *transport) WriteToAddress(b []byte, addr memberlist.Address) (time.Time, error) {
	to, err := netip.ParseAddrPort(addr.Addr)
	if err != nil {
		return time.Time{}, err
	}
	if t.cut == nil || !t.cut(to.Addr()) {
		_, err = t.udp.WriteToUDPAddrPort(b, to)
	}
	return time.Now(), err
}

// DialTimeout implements [memberlist.Transport].
func (t *transport) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	return t.DialAddressTimeout(memberlist.Address{Addr: addr}, timeout)
}

// DialAddressTimeout implements [memberlist.NodeAwareTransport]. It dials from the address that packets come from.
func (t *transport) DialAddressTimeout(addr memberlist.Address, timeout time.Duration) (net.Conn, error) {
	to, err := netip.ParseAddrPort(addr.Addr)
	if err != nil {
		return nil, err
	}
	if t.cut != nil && t.cut(to.Addr()) {
		return nil, syscall.EHOSTUNREACH
	}
	d := net.Dialer{Timeout: timeout}
	if from := t.bound.Addr(); !from.IsUnspecified() && from.Is4() == to.Addr().Unmap().Is4() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))
	}
	c, err := d.DialContext(t.done, "tcp", to.String())
	if err != nil {
		return nil, err
	}
	if s := t.track(c, false); s != nil {
		return t.checked(s, true), nil
	}
	return nil, errDown
}

// PacketCh is that of the first instance.
func (t *transport) PacketCh() <-chan *memberlist.Packet { return t.first.packets }

// StreamCh likewise.
func (t *transport) StreamCh() <-chan net.Conn { return t.first.streams }

// Shutdown ends it with all its instances. Whoever reads, writes or dials gets an error.
func (t *transport) Shutdown() error {
	t.stop()
	_ = t.tcp.Close()
	_ = t.udp.Close()
	t.mu.Lock()
	open := make([]*stream, 0, len(t.open))
	for s := range t.open {
		open = append(open, s)
	}
	t.mu.Unlock()
	for _, s := range open {
		_ = s.Close()
	}
	t.wg.Wait()
	return nil
}
