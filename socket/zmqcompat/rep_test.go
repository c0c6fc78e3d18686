package zmqcompat_test

import (
	"strings"
	"testing"

	zmq4 "github.com/yodel-mq/yodel/socket/zmqcompat"
)

// repMakers are the REP of this package and the original's, which must do the same.
var repMakers = map[string]maker{"ours": ours(zmq4.Rep), "the original": theirs(zmq4.Rep)}

// TestRepReadByAGoroutine: one goroutine receives for ever and another replies, so that Recv is called while a request
// has no reply.
func TestRepReadByAGoroutine(t *testing.T) {
	for name, create := range repMakers {
		t.Run(name, func(t *testing.T) {
			rep := create(t)
			ep := listen(t, rep)
			requests := make(chan zmq4.Msg)
			go func() {
				defer close(requests)
				for {
					m, err := rep.Recv()
					if err != nil {
						if !strings.Contains(err.Error(), "canceled") {
							t.Errorf("Recv: %v", err)
						}
						return
					}
					requests <- m
				}
			}()
			done := make(chan struct{})
			go func() {
				defer close(done)
				for m := range requests {
					if err := rep.Send(m); err != nil {
						t.Errorf("Send: %v", err)
					}
				}
			}()
			req := ours(zmq4.Req)(t)
			dial(t, req, ep)
			for range 100 {
				send(t, req, "ping")
				wantFrames(t, req, "ping")
			}
			closeNow(t, rep)
			<-done
		})
	}
}

// TestRepDoesNotAnswer: a server that answers good requests only goes on to serve.
func TestRepDoesNotAnswer(t *testing.T) {
	for name, create := range repMakers {
		t.Run(name, func(t *testing.T) {
			rep := create(t)
			ep := listen(t, rep)
			const rounds = 3
			done, ignored := make(chan struct{}), make(chan struct{}, rounds)
			go func() {
				defer close(done)
				for failures := 0; ; {
					m, err := rep.Recv()
					if err != nil {
						if failures++; failures > 1 {
							t.Errorf("Recv: %v, again and again", err)
						}
						if strings.Contains(err.Error(), "canceled") || failures > 1 {
							return
						}
						continue
					}
					if string(m.Bytes()) == "bad" {
						ignored <- struct{}{}
						continue
					}
					if err := rep.Send(m); err != nil {
						t.Errorf("Send: %v", err)
					}
				}
			}()
			for range rounds {
				bad, good := ours(zmq4.Req)(t), ours(zmq4.Req)(t)
				dial(t, bad, ep)
				dial(t, good, ep)
				send(t, bad, "bad")
				select { // what came later would meet the end of the server
				case <-ignored:
				case <-done:
					t.Fatal("the server has ended")
				}
				send(t, good, "good")
				wantFrames(t, good, "good")
			}
			closeNow(t, rep)
			<-done
		})
	}
}

// TestRepAnswersTwice: the second reply goes to nobody, and is no error that would end the server.
func TestRepAnswersTwice(t *testing.T) {
	rep, req := ours(zmq4.Rep)(t), ours(zmq4.Req)(t)
	dial(t, req, listen(t, rep))
	for range 3 {
		send(t, req, "question")
		wantFrames(t, rep, "question")
		send(t, rep, "answer")
		send(t, rep, "another one")
		wantFrames(t, req, "answer")
	}
}
