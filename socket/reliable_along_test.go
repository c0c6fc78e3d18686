package socket_test

import (
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/simnet"
)

// TestReliableAcknowledgedAlong: replies bring the acknowledgement of requests, and those that of replies; the last of
// them is acknowledged all the same.
func TestReliableAcknowledgedAlong(t *testing.T) {
	everywhere(t, simnet.Config{}, func(t *testing.T, on func(host string) socket.Option) {
		req := socket.NewReq(on("cli"), socket.WithReliable())
		rep := socket.NewRep(on("srv"), socket.WithReliable())
		defer shut(t, req)
		defer shut(t, rep)
		meet(t, rep, req, true)
		const total = 300
		for n := range uint64(total) {
			must(t, req.Send(aDay(t), socket.Text("question")))
			m, err := rep.Recv(aDay(t))
			must(t, err)
			if st := rep.Stats(); st.Delivered.Messages+16 < n {
				t.Fatalf("when question %d has come REP counts %v", n, st.Ledger)
			}
			must(t, rep.Send(aDay(t), m))
			_, err = req.Recv(aDay(t))
			must(t, err)
			if st := req.Stats(); st.Delivered.Messages+15 < n {
				t.Fatalf("when reply %d has come REQ counts %v", n, st.Ledger)
			}
		}
		time.Sleep(time.Second)
		if st := rep.Stats(); st.Delivered.Messages != total {
			t.Errorf("in the end REP counts %v", st.Ledger)
		}
	})
}
