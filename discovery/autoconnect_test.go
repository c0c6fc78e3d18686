package discovery

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	epA = "tcp://10.0.0.7:5001"
	epB = "tcp://10.0.0.7:5002"
	epC = "tcp://10.0.0.7:5003"
)

func TestAutoConnect(t *testing.T) {
	onStage(t, Policy{Group: "prod"}, nil, func(g *stage) {
		g.s.open(time.Millisecond, epA, epB)
		g.after(0)
		if want := (Query{Group: "prod", Service: "orders"}); g.w.asked != want {
			g.Errorf("watches for %+v, want %+v", g.w.asked, want)
		}
		g.emit(Added, offer(1, epA))
		g.want("at once", epA)
		g.after(time.Millisecond)
		g.want("connected", epA+"+")
		g.emit(Synced, Record{})
		g.emit(Trouble, Record{})
		g.emit(Added, offer(2, epB))
		g.after(time.Hour)
		g.want("both", epA+"+", epB+"+")
		g.notified("connected", "connected")
		if n := g.w.confirms(); n != 0 {
			g.Errorf("asked %d times to confirm nodes that are connected", n)
		}
	})
}

// The socket on the other side may be there before the record or after it.
func TestOrders(t *testing.T) {
	t.Run("first the listener", func(t *testing.T) {
		onStage(t, Policy{}, nil, func(g *stage) {
			g.s.open(0, epA)
			g.emit(Added, offer(1, epA))
			g.after(0)
			g.want("at once", epA+"+")
		})
	})
	t.Run("first the record", func(t *testing.T) {
		onStage(t, Policy{}, nil, func(g *stage) {
			g.emit(Added, offer(1, epA))
			g.after(3 * time.Second)
			g.s.open(0, epA)
			g.after(0)
			g.want("as soon as it answers", epA+"+")
		})
	})
}

func TestIgnored(t *testing.T) {
	other := offer(1, epA)
	other.Services[0].Name = "orders2"
	typed := offer(1, epA)
	typed.Services[0].Type = "REP"
	for _, tc := range []struct {
		name string
		kind EventKind
		r    Record
	}{
		{"oneself", Added, offer(9, epA)},
		{"no id", Added, Record{Services: offer(1, epA).Services}},
		{"another service", Added, other},
		{"another type", Updated, typed},
		{"incompatible", Incompatible, offer(1, epA)},
		{"not known, and left", Left, offer(1, epA)},
		{"not known, and expired", Expired, offer(1, epA)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			onStage(t, Policy{Self: nth(9), Types: []string{"PUB"}}, nil, func(g *stage) {
				g.emit(tc.kind, tc.r)
				g.after(time.Minute)
				g.want("after that")
				g.notified()
			})
		})
	}
}

type typedSocket struct {
	*fakeSocket
	typ string
}

func (s typedSocket) Type() string { return s.typ }

func TestTypes(t *testing.T) {
	for _, tc := range []struct {
		name, typ string
		types     []string
		want      []string
	}{
		{"a SUB takes what publishes", "SUB", nil, []string{epA + "+", epC + "+"}},
		{"a REQ takes what replies", "REQ", nil, []string{epB + "+", epC + "+"}},
		{"the policy says other", "SUB", []string{"REP"}, []string{epB + "+", epC + "+"}},
		{"a type that nobody knows", "WHAT", nil, []string{epA + "+", epB + "+", epC + "+"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			onStage(t, Policy{Types: tc.types}, func(s *fakeSocket) Connector { return typedSocket{s, tc.typ} }, func(g *stage) {
				g.s.open(0, epA, epB, epC)
				for i, typ := range []string{"PUB", "REP", ""} {
					r := offer(i, []string{epA, epB, epC}[i])
					r.Services[0].Type = typ
					g.emit(Added, r)
				}
				g.after(0)
				g.want("in the end", tc.want...)
			})
		})
	}
	for typ, fit := range fitting {
		for _, other := range fit {
			if !slices.Contains(fitting[other], typ) {
				t.Errorf("%s fits %s, and not the other way", typ, other)
			}
		}
	}
}

func TestHappyEyeballs(t *testing.T) {
	ms := time.Millisecond
	for _, tc := range []struct {
		name    string
		a, b, c time.Duration // until each answers; 0 is never
		want    string
		after   time.Duration
		dials   int
	}{
		{"the first answers", 10 * ms, 1 * ms, 1 * ms, epA, 10 * ms, 1},
		{"the first is slow, and faster than the next", 300 * ms, 100 * ms, 1 * ms, epA, 300 * ms, 2},
		{"the next overtakes", 400 * ms, 100 * ms, 1 * ms, epB, 350 * ms, 2},
		{"the first is dead", 0, 10 * ms, 1 * ms, epB, 260 * ms, 2},
		{"two are dead", 0, 0, 5 * ms, epC, 505 * ms, 3},
	} {
		t.Run(tc.name, func(t *testing.T) {
			onStage(t, Policy{}, nil, func(g *stage) {
				for e, d := range map[string]time.Duration{epA: tc.a, epB: tc.b, epC: tc.c} {
					if d != 0 {
						g.s.open(d, e)
					}
				}
				g.emit(Added, offer(1, epA, epB, epC))
				g.after(tc.after - ms)
				for _, e := range g.s.state() {
					if strings.HasSuffix(e, "+") {
						g.Errorf("%s is up too early", e)
					}
				}
				g.after(ms)
				g.want("the winner alone", tc.want+"+")
				g.after(time.Hour)
				g.want("for ever", tc.want+"+")
				if len(g.s.dialled()) != tc.dials {
					g.Errorf("dialled %v, want %d", g.s.dialled(), tc.dials)
				}
				g.notified("connected")
			})
		})
	}
}

func TestNoAnswer(t *testing.T) {
	onStage(t, Policy{DialTimeout: 4 * time.Second}, nil, func(g *stage) {
		start := time.Now()
		var rounds []time.Duration
		g.emit(Added, offer(1, epA, epB))
		for n := 1; n <= 12; n++ {
			for g.w.confirms() < n {
				g.after(10 * time.Millisecond)
			}
			rounds = append(rounds, time.Since(start))
			g.want("between rounds")
		}
		if d := rounds[0]; d > 4010*time.Millisecond || d < 4*time.Second {
			g.Errorf("given up for the first time after %v, want 4s", d)
		}
		pause := time.Second
		for i := 1; i < len(rounds); i++ {
			d := rounds[i] - rounds[i-1] - 4*time.Second
			if d < pause/2-10*time.Millisecond || d > pause+10*time.Millisecond {
				g.Errorf("pause %d was %v, want %v to %v", i, d, pause/2, pause)
			}
			pause = min(2*pause, time.Minute)
		}
		g.s.open(0, epB)
		for !slices.Equal(g.s.state(), []string{epB + "+"}) {
			if g.after(10 * time.Millisecond); time.Since(start)-rounds[11] > 66*time.Second {
				g.Fatalf("not connected: %v", g.s.state())
			}
		}
		if first := g.w.first(); first != nth(1) {
			g.Errorf("asked to confirm %v", first)
		}
	})
}

func TestConnectFails(t *testing.T) {
	onStage(t, Policy{}, nil, func(g *stage) {
		g.s.err = errors.New("closed")
		g.emit(Added, offer(1, epA, epB))
		g.notified("failed")
		if want := []string{epA, epB}; !slices.Equal(g.s.dialled(), want) {
			g.Errorf("tried %v, want %v, at once", g.s.dialled(), want)
		}
		g.after(10 * time.Second)
		if n := len(g.s.dialled()); n < 6 || n > 16 {
			g.Errorf("%d calls of Connect in 10 s", n)
		}
	})
}

func TestLost(t *testing.T) {
	t.Run("and back", func(t *testing.T) {
		onStage(t, Policy{}, nil, func(g *stage) {
			g.s.open(0, epA)
			g.emit(Added, offer(1, epA))
			g.after(time.Second)
			g.s.shut(epA)
			g.after(0)
			g.want("the socket goes on trying", epA)
			if g.w.confirms() != 1 {
				g.Error("nobody asked whether the node is there")
			}
			g.after(4 * time.Second)
			g.s.open(0, epA)
			g.after(time.Hour)
			g.want("again", epA+"+")
			if len(g.s.dialled()) != 1 {
				g.Errorf("dialled %v: what was lost comes back by itself", g.s.dialled())
			}
			g.notified("connected", "lost", "connected")
		})
	})
	t.Run("another endpoint", func(t *testing.T) {
		onStage(t, Policy{}, nil, func(g *stage) {
			g.s.open(0, epA, epB)
			g.emit(Added, offer(1, epA, epB))
			g.after(time.Second)
			g.s.shut(epA)
			g.after(251 * time.Millisecond)
			g.want("the fall-back", epB+"+")
		})
	})
	t.Run("for ever", func(t *testing.T) {
		onStage(t, Policy{}, nil, func(g *stage) {
			g.s.open(0, epA)
			g.emit(Added, offer(1, epA))
			g.after(time.Second)
			g.s.shut(epA)
			g.after(5 * time.Second)
			g.want("given up for a while")
			g.emit(Expired, offer(1, epA))
			g.after(time.Hour)
			g.want("gone")
			g.notified("connected", "lost", "failed", "disconnected")
		})
	})
}

func TestExpired(t *testing.T) {
	t.Run("a connection that works stays", func(t *testing.T) {
		onStage(t, Policy{}, nil, func(g *stage) {
			g.s.open(0, epA)
			g.emit(Added, offer(1, epA))
			g.emit(Expired, offer(1, epA))
			g.after(time.Hour)
			g.want("an hour later", epA+"+")
			g.s.shut(epA)
			g.after(4 * time.Second)
			g.want("it may come back", epA)
			g.after(time.Second)
			g.want("but not for ever")
			g.after(time.Hour)
			if len(g.s.dialled()) != 1 {
				g.Errorf("dialled %v", g.s.dialled())
			}
			if g.w.confirms() != 0 {
				g.Error("asked to confirm what has expired")
			}
			g.notified("connected", "lost", "disconnected")
		})
	})
	t.Run("and is announced again", func(t *testing.T) {
		onStage(t, Policy{}, nil, func(g *stage) {
			g.s.open(0, epA)
			g.emit(Added, offer(1, epA))
			g.emit(Expired, offer(1, epA))
			g.after(time.Minute)
			g.emit(Added, offer(1, epA))
			g.after(time.Minute)
			g.want("in the end", epA+"+")
			g.s.shut(epA)
			g.after(time.Minute)
			g.s.open(0, epA)
			g.after(time.Minute)
			g.want("it is tried again", epA+"+")
		})
	})
	t.Run("while dialled", func(t *testing.T) {
		onStage(t, Policy{}, nil, func(g *stage) {
			g.emit(Added, offer(1, epA))
			g.emit(Expired, offer(1, epA))
			g.want("the round goes on", epA)
			g.after(5 * time.Second)
			g.want("to its end")
			g.after(time.Hour)
			if len(g.s.dialled()) != 1 {
				g.Errorf("dialled %v", g.s.dialled())
			}
		})
	})
	t.Run("between rounds", func(t *testing.T) {
		onStage(t, Policy{}, nil, func(g *stage) {
			g.emit(Added, offer(1, epA))
			g.after(5*time.Second + time.Millisecond)
			g.emit(Expired, offer(1, epA))
			g.after(time.Hour)
			if len(g.s.dialled()) != 1 {
				g.Errorf("dialled %v", g.s.dialled())
			}
		})
	})
}

func TestLeft(t *testing.T) {
	begin := func(g *stage) {
		g.s.open(0, epA)
		g.emit(Added, offer(1, epA))
		g.emit(Left, offer(1, epA))
	}
	t.Run("the connection ends", func(t *testing.T) {
		onStage(t, Policy{}, nil, func(g *stage) {
			begin(g)
			g.after(time.Second)
			g.want("what is under way may arrive", epA+"+")
			g.s.shut(epA)
			g.after(0)
			g.want("at once")
			g.notified("connected", "lost", "disconnected")
		})
	})
	t.Run("the connection does not end", func(t *testing.T) {
		onStage(t, Policy{Drain: 3 * time.Second}, nil, func(g *stage) {
			begin(g)
			g.after(2 * time.Second)
			g.emit(Left, offer(1, epA)) // said three times, but it is one goodbye
			g.emit(Expired, offer(1, epA))
			g.after(time.Second - time.Millisecond)
			g.want("before Drain", epA+"+")
			g.after(time.Millisecond)
			g.want("after Drain")
			g.notified("connected", "disconnected")
		})
	})
	t.Run("no drain", func(t *testing.T) {
		onStage(t, Policy{Drain: -1}, nil, func(g *stage) {
			begin(g)
			g.after(0)
			g.want("at once")
		})
	})
	t.Run("a goodbye that the node did not say", func(t *testing.T) {
		onStage(t, Policy{}, nil, func(g *stage) {
			begin(g)
			g.after(9 * time.Second)
			g.emit(Added, offer(1, epA))
			g.after(time.Hour)
			g.want("nothing has happened", epA+"+")
			if len(g.s.dialled()) != 1 {
				g.Errorf("dialled %v", g.s.dialled())
			}
			g.notified("connected")
		})
	})
	t.Run("it is asked whether it said goodbye", func(t *testing.T) {
		for _, tc := range []struct {
			name   string
			answer time.Duration // never if 0
			asked  int
			stays  bool
		}{
			{"no answer", 0, 2, false},
			{"an answer to the first question", 3 * time.Second, 1, true},
			{"an answer to the second", 8 * time.Second, 2, true},
		} {
			onStage(t, Policy{}, nil, func(g *stage) {
				begin(g)
				g.after(2 * time.Second)
				if n := g.w.confirms(); n != 0 {
					g.Errorf("%s: asked %d times before it can be believed", tc.name, n)
				}
				if tc.stays {
					g.after(tc.answer - 2*time.Second)
					g.emit(Added, offer(1, epA))
				}
				g.after(time.Minute)
				if n := g.w.confirms(); n != tc.asked {
					g.Errorf("%s: asked %d times, want %d", tc.name, n, tc.asked)
				}
				if tc.stays {
					g.want(tc.name, epA+"+")
				} else {
					g.want(tc.name)
				}
			})
		}
	})
	t.Run("after it expired", func(t *testing.T) {
		onStage(t, Policy{}, nil, func(g *stage) {
			g.s.open(0, epA)
			g.emit(Added, offer(1, epA))
			g.emit(Expired, offer(1, epA))
			g.emit(Left, offer(1, epA))
			g.after(10 * time.Second)
			g.want("in the end")
		})
	})
	for name, wait := range map[string]time.Duration{
		"while dialled": 0, "between rounds": 5*time.Second + time.Millisecond,
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, Policy{}, nil, func(g *stage) {
				g.emit(Added, offer(1, epA))
				g.after(wait)
				g.emit(Left, offer(1, epA))
				g.want("at once")
				g.after(time.Hour)
				if len(g.s.dialled()) != 1 {
					g.Errorf("dialled %v", g.s.dialled())
				}
			})
		})
	}
	t.Run("it no longer has the service", func(t *testing.T) {
		onStage(t, Policy{}, nil, func(g *stage) {
			g.s.open(0, epA)
			g.emit(Added, offer(1, epA))
			r := offer(1, epA)
			r.Services[0].Name = "other"
			g.emit(Updated, r)
			g.after(10 * time.Second)
			g.want("in the end")
		})
	})
}

func TestUpdated(t *testing.T) {
	t.Run("other endpoints while connected", func(t *testing.T) {
		onStage(t, Policy{}, nil, func(g *stage) {
			g.s.open(0, epA, epB)
			g.emit(Added, offer(1, epA))
			g.emit(Updated, offer(1, epB))
			g.after(time.Hour)
			g.want("what works is kept", epA+"+")
			g.s.shut(epA)
			g.after(0)
			g.want("what does not is not", epB+"+")
		})
	})
	t.Run("other endpoints while dialled", func(t *testing.T) {
		onStage(t, Policy{}, nil, func(g *stage) {
			g.s.open(0, epB)
			g.emit(Added, offer(1, epA))
			g.after(time.Second)
			g.emit(Updated, offer(1, epB))
			g.after(0)
			g.want("at once", epB+"+")
		})
	})
	t.Run("one more endpoint while dialled", func(t *testing.T) {
		onStage(t, Policy{}, nil, func(g *stage) {
			g.s.open(0, epB)
			g.emit(Added, offer(1, epA))
			g.after(time.Second)
			g.emit(Updated, offer(1, epA, epB))
			g.want("the first goes on", epA)
			g.after(250 * time.Millisecond)
			g.want("the other has its turn", epB+"+")
		})
	})
	t.Run("other endpoints between rounds", func(t *testing.T) {
		onStage(t, Policy{}, nil, func(g *stage) {
			g.emit(Added, offer(1, epA))
			for g.w.confirms() < 8 { // the pause is half a minute at least now
				g.after(time.Second)
			}
			g.s.open(0, epB)
			g.emit(Updated, offer(1, epB))
			g.after(time.Second)
			g.want("soon", epB+"+")
		})
	})
	t.Run("no endpoint any more, while dialled", func(t *testing.T) {
		onStage(t, Policy{}, nil, func(g *stage) {
			g.emit(Added, offer(1, epA))
			g.emit(Updated, offer(1, "tcp://192.0.2.1:1"))
			g.want("off-link")
			g.notified("refused")
			g.emit(Updated, offer(1, epA))
			g.want("and back", epA)
		})
	})
	t.Run("the node was restarted", func(t *testing.T) {
		onStage(t, Policy{}, nil, func(g *stage) {
			g.s.open(0, epA)
			g.emit(Added, offer(1, epA))
			g.after(0)
			g.s.shut(epA)
			g.s.open(0, epB)
			r := offer(1, epB)
			r.Incarnation = 2
			g.emit(Updated, r)
			g.after(0)
			g.want("the new process", epB+"+")
		})
	})
	t.Run("the node was restarted after many failures", func(t *testing.T) {
		onStage(t, Policy{}, nil, func(g *stage) {
			g.emit(Added, offer(1, epA))
			for g.w.confirms() < 8 {
				g.after(time.Second)
			}
			r := offer(1, epB)
			r.Incarnation = 2
			g.emit(Updated, r)
			g.after(8 * time.Second) // one more round
			if n := g.w.confirms(); n < 9 {
				g.Fatalf("%d confirms", n)
			}
			g.s.open(0, epB)
			g.after(2 * time.Second)
			g.want("the pause is short again", epB+"+")
		})
	})
}

// Whoever flaps must not make us dial more and more.
func TestFlapping(t *testing.T) {
	for _, tc := range []struct {
		name      string
		endpoints int // among which the record changes
		most      int // dials a second: a round a second
	}{
		{"between two", 2, 2},
		{"always another", 1000, maxCandidates},
	} {
		t.Run(tc.name, func(t *testing.T) {
			onStage(t, Policy{DialTimeout: 100 * time.Millisecond}, nil, func(g *stage) {
				for i := range 4000 {
					g.emit(Updated, offer(1, fmt.Sprintf("tcp://10.0.0.7:%d", 1000+i%tc.endpoints)))
					g.after(5 * time.Millisecond)
				}
				if n := len(g.s.dialled()); n > 20*tc.most {
					g.Errorf("dialled %d times in 20 s, want %d at most", n, 20*tc.most)
				}
			})
		})
	}
	onStage(t, Policy{}, nil, func(g *stage) {
		g.s.open(0, epA)
		for range 1000 {
			g.emit(Added, offer(1, epA))
			g.emit(Left, offer(1, epA))
			g.emit(Added, offer(1, epA))
			g.emit(Expired, offer(1, epA))
		}
		g.after(time.Hour)
		g.want("in the end", epA+"+")
		if len(g.s.dialled()) != 1 {
			g.Errorf("dialled %d times", len(g.s.dialled()))
		}
	})
}
