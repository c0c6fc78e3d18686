package socket

import (
	"context"
	"fmt"
	"testing"
	"time"
)

func TestSmoke(t *testing.T) {
	for _, ep := range []string{"tcp://127.0.0.1:*", "ipc://*", "inproc://x"} {
		t.Run(ep, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			pull := NewPull()
			push := NewPush()
			at, err := pull.Bind(ctx, ep)
			if err != nil {
				t.Fatal(err)
			}
			if err := push.Connect(at); err != nil {
				t.Fatal(err)
			}
			for i := range 10000 {
				if err := push.Send(ctx, String("hello", fmt.Sprint(i))); err != nil {
					t.Fatal(err)
				}
				if i%2000 == 0 {
					go func() {}()
				}
				if i >= 500 {
					m, err := pull.Recv(ctx)
					if err != nil {
						t.Fatal(err)
					}
					if string(m.Frames[1]) != fmt.Sprint(i-500) {
						t.Fatal(i, m)
					}
				}
			}
			req, rep := NewReq(), NewRep()
			at, err = rep.Bind(ctx, ep+"r")
			if ep != "inproc://x" {
				at, err = rep.Bind(ctx, ep)
			}
			if err != nil {
				t.Fatal(err)
			}
			req.Connect(at)
			go func() {
				for m, err := range rep.Messages(ctx) {
					if err != nil {
						return
					}
					rep.Send(ctx, m)
				}
			}()
			for range 100 {
				m, err := req.Do(ctx, String("a", "", "b"))
				if err != nil || len(m.Frames) != 3 {
					t.Fatal(m, err)
				}
			}
			pub, sub := NewPub(), NewSub(WithSubscription("a"))
			at, err = pub.Bind(ctx, "tcp://127.0.0.1:*")
			sub.Connect(at)
			if err := pub.WaitSubscribers(ctx, "abc", 1); err != nil {
				t.Fatal(err)
			}
			pub.Send(ctx, String("b"))
			pub.Send(ctx, String("abc"))
			m, err := sub.Recv(ctx)
			if err != nil || m.Frames[0][1] != 'b' {
				t.Fatal(m, err)
			}
			for _, s := range []interface {
				Close() error
				Stats() Stats
			}{push, pull, req, rep, pub, sub} {
				start := time.Now()
				s.Close()
				st := s.Stats()
				if err := st.Check(); err != nil {
					t.Error(err)
				}
				t.Logf("%v %+v", time.Since(start), st.Ledger)
			}
		})
	}
}
