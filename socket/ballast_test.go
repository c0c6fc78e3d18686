package socket_test

import (
	"os"
	"testing"

	"github.com/yodel-mq/yodel/socket"
)

// TestBallast: the process has its GC ballast while a connection is busy, whoever reads it, and not before, afterwards,
// or for sockets that do without. What a ballast is and when there is none is tested where it is made.
func TestBallast(t *testing.T) {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		t.Skip("GOGC or GOMEMLIMIT is set")
	}
	const (
		whole  = 64 << 20
		little = 4 << 20
		bodies = 16<<20/(64<<10) + 100 // of 64 KiB
	)
	for name, endpoint := range transports(t) {
		for _, tt := range []struct {
			name string
			opts []socket.PullOption
			wait bool // for each message, so that the receiver reads
			want bool
		}{
			{"a stream", nil, false, name != "inproc"},
			{"one at a time", nil, true, name != "inproc"},
			{"without", []socket.PullOption{socket.WithoutBallast()}, false, false},
			{"without, one at a time", []socket.PullOption{socket.WithoutBallast()}, true, false},
		} {
			t.Run(name+", "+tt.name, func(t *testing.T) {
				before := int(heapNow())
				pull, push := socket.NewPull(tt.opts...), socket.NewPush()
				connect(t, push, bind(t, pull, endpoint))
				body := make([]byte, 64<<10)
				ctx := within(t)
				received := make(chan struct{}, 1)
				go func() {
					for range bodies {
						if _, err := pull.Recv(ctx); err != nil {
							t.Errorf("Recv: %v", err)
						}
						received <- struct{}{}
					}
				}()
				for i := range bodies {
					must(t, push.Send(ctx, socket.NewMsg(body)))
					if tt.wait || i >= cap(received) {
						<-received
					}
				}
				if !tt.wait {
					<-received
				}
				during := int(heapNow()) - before
				if got := during > whole-little; got != tt.want || !got && during > little {
					t.Errorf("%d KiB more on the heap while the connection is there, ballast wanted: %t", during>>10, tt.want)
				}
				must(t, push.Close())
				must(t, pull.Close())
				if after := int(heapNow()) - before; after > little {
					t.Errorf("%d KiB more on the heap once the sockets are closed", after>>10)
				}
			})
		}
	}
}
