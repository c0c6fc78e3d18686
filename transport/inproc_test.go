package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestInprocExchange(t *testing.T) {
	client, server := pair(t, NewInproc(), "a")
	var wg sync.WaitGroup
	wg.Go(func() {
		if got, err := server.(Direct).Exchange(t.Context(), "from the server"); got != "from the client" || err != nil {
			t.Errorf("server got %v, %v", got, err)
		}
	})
	if got, err := client.(Direct).Exchange(t.Context(), "from the client"); got != "from the server" || err != nil {
		t.Errorf("client got %v, %v", got, err)
	}
	wg.Wait()
	_, err := client.(Direct).Exchange(t.Context(), 1)
	if want := "transport: exchange inproc://a: called before; each end can exchange once"; err == nil ||
		err.Error() != want {
		t.Errorf("again: got %v, want %s", err, want)
	}
}

func TestInprocExchangeEnds(t *testing.T) {
	for _, tc := range []struct {
		name string
		end  func(client, server net.Conn, cancel func())
		want error
	}{
		{"own close", func(client, _ net.Conn, _ func()) { _ = client.Close() }, net.ErrClosed},
		{"other's close", func(_, server net.Conn, _ func()) { _ = server.Close() }, io.EOF},
		{"cancel", func(_, _ net.Conn, cancel func()) { cancel() }, context.Canceled},
	} {
		for _, when := range []string{"before", "during"} {
			t.Run(tc.name+" "+when, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					client, server := pair(t, NewInproc(), "a")
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					if when == "before" {
						tc.end(client, server, cancel)
					}
					failed := make(chan error)
					go func() {
						_, err := client.(Direct).Exchange(ctx, 1)
						failed <- err
					}()
					if when == "during" {
						synctest.Wait()
						tc.end(client, server, cancel)
					}
					if err := <-failed; !errors.Is(err, tc.want) {
						t.Errorf("got %v, want %v", err, tc.want)
					}
				})
			})
		}
	}
}

// What was given before a close still arrives, like bytes before a FIN.
func TestInprocExchangeAfterClose(t *testing.T) {
	for range 50 {
		client, server := pair(t, NewInproc(), "a")
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_, _ = server.(Direct).Exchange(t.Context(), "given")
			_ = server.Close()
		}()
		if got, err := client.(Direct).Exchange(t.Context(), nil); got != "given" || err != nil {
			t.Fatalf("got %v, %v", got, err)
		}
		<-client.(Direct).Done()
		<-ended
	}
}

func TestInprocConn(t *testing.T) {
	client, server := pair(t, NewInproc(), "a")
	for end, c := range map[string]net.Conn{"client": client, "server": server} {
		for op, err := range map[string]error{
			"read":         func() error { _, err := c.Read(make([]byte, 1)); return err }(),
			"write":        func() error { _, err := c.Write(make([]byte, 1)); return err }(),
			"set deadline": c.SetDeadline(time.Now()),
		} {
			if !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("%s: %s: got %v", end, op, err)
			}
		}
	}
	got := fmt.Sprintf("%s %s %s %s %s", client.LocalAddr(), client.RemoteAddr(), server.LocalAddr(), server.RemoteAddr(),
		client.LocalAddr().Network())
	if want := "a#1 a a a#1 inproc"; got != want {
		t.Errorf("addresses %q, want %q", got, want)
	}
	select {
	case <-client.(Direct).Done():
		t.Error("done too early")
	default:
	}
	for range 2 {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	}
	<-client.(Direct).Done()
	<-server.(Direct).Done()
}

func TestInprocDialBeforeListen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := NewInproc()
		const n = 3
		dialled := make(chan net.Conn, n)
		for range n {
			go func() {
				c, err := tr.Dial(t.Context(), "late")
				if err != nil {
					t.Error(err)
				}
				dialled <- c
			}()
		}
		time.Sleep(time.Hour) // virtual
		if len(dialled) != 0 {
			t.Fatal("dialled what is not bound")
		}
		l := listen(t, tr, "late")
		for range n {
			_ = (<-dialled).Close()
		}
		if len(tr.waiting) != 0 {
			t.Error("still waiting for the name")
		}
		if got := l.Address(); got != "late" {
			t.Errorf("address %s", got)
		}
	})
}

func TestInprocDialGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := NewInproc()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := tr.Dial(ctx, "never")
		want := "transport: dial inproc://never: nobody has bound the name: context deadline exceeded"
		if !errors.Is(err, context.DeadlineExceeded) || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
		if ne, ok := errors.AsType[net.Error](err); !ok || !ne.Timeout() {
			t.Error("not a timeout")
		}
		if len(tr.waiting) != 0 {
			t.Error("the name is remembered")
		}
		if _, err = tr.Dial(ctx, "never"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("ctx ended before: got %v", err)
		}
	})
}

func TestInprocListener(t *testing.T) {
	t.Run("duplicate", func(t *testing.T) {
		tr := NewInproc()
		listen(t, tr, "a")
		_, err := tr.Listen(t.Context(), "a")
		want := "transport: listen inproc://a: address already in use: close the other listener or choose another name"
		if !errors.Is(err, ErrAddressInUse) || err.Error() != want {
			t.Errorf("got %v", err)
		}
		listen(t, NewInproc(), "a") // another name space
	})
	t.Run("close frees the name", func(t *testing.T) {
		tr := NewInproc()
		first := listen(t, tr, "a")
		_ = first.Close()
		second := listen(t, tr, "a")
		_ = first.Close() // must not free it for the second
		dial(t, tr, "a")
		accept(t, second)
	})
	t.Run("close unblocks accept", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := listen(t, NewInproc(), "a")
			failed := make(chan error)
			for range 2 {
				go func() {
					_, err := l.Accept()
					failed <- err
				}()
			}
			synctest.Wait()
			_ = l.Close()
			for range 2 {
				if err := <-failed; !errors.Is(err, net.ErrClosed) {
					t.Errorf("got %v", err)
				}
			}
		})
	})
	t.Run("close ends what was not accepted", func(t *testing.T) {
		tr := NewInproc()
		l := listen(t, tr, "a")
		waiting := dial(t, tr, "a")
		_ = l.Close()
		<-waiting.(Direct).Done()
	})
	t.Run("accepted connections outlive it", func(t *testing.T) {
		tr := NewInproc()
		l := listen(t, tr, "a")
		client := dial(t, tr, "a")
		accept(t, l)
		_ = l.Close()
		select {
		case <-client.(Direct).Done():
			t.Error("closed")
		default:
		}
	})
	t.Run("given-up connections are not accepted", func(t *testing.T) {
		tr := NewInproc()
		l := listen(t, tr, "a")
		_ = dial(t, tr, "a").Close()
		live := dial(t, tr, "a")
		if got := accept(t, l).RemoteAddr().String(); got != live.LocalAddr().String() {
			t.Errorf("accepted %s, want %s", got, live.LocalAddr())
		}
	})
	t.Run("many dialers, many accepters", func(t *testing.T) {
		tr := NewInproc()
		l := listen(t, tr, "a")
		const n = 64
		var wg sync.WaitGroup
		for range n {
			wg.Go(func() {
				c, err := tr.Dial(t.Context(), "a")
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := c.(Direct).Exchange(t.Context(), 1); got != 2 || err != nil {
					t.Error(got, err)
				}
			})
			wg.Go(func() {
				c, err := l.Accept()
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := c.(Direct).Exchange(t.Context(), 2); got != 1 || err != nil {
					t.Error(got, err)
				}
			})
		}
		wg.Wait()
	})
	t.Run("bad names", func(t *testing.T) {
		checkValidate(t, NewInproc(), "", ForBind, "no name; write it as inproc://name")
		if _, err := NewInproc().Listen(t.Context(), ""); !errors.Is(err, ErrAddress) {
			t.Errorf("listen: got %v", err)
		}
		if _, err := NewInproc().Dial(t.Context(), ""); !errors.Is(err, ErrAddress) {
			t.Errorf("dial: got %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := NewInproc().Listen(ctx, "a"); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: got %v", err)
		}
	})
}

func TestDefaultInproc(t *testing.T) {
	if one, other := DefaultInproc(), DefaultInproc(); one != other || one == NewInproc() {
		t.Error("not one name space for the process")
	}
}
