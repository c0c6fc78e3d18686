package discovery

import (
	"bytes"
	"context"
	"testing"
	"time"
)

const stranger = "10.0.0.66"

// from is what the latest of these addresses says.
func from(r Record, list ...string) Record {
	r.From = addrs(list...)
	return r
}

// other is a record of the nth node without the service.
func other(n int) Record {
	r := offer(n, epA)
	r.Services[0].Name = "other"
	return r
}

// What counts as said by the node that a connection is to. offer(1) comes from 10.0.0.101.
func TestStrangers(t *testing.T) {
	const self, second = "10.0.0.101", "fe80::7%eth0"
	wide := offer(1, epA)
	wide.Addrs = addrs("10.0.0.150")
	proven := func(r Record) Record { r.proven = true; return r }
	configured := func(r Record) Record { r.Configured = true; return r }
	for _, tc := range []struct {
		name  string
		first Record
		wait  time.Duration
		then  []Event
		stays bool
	}{
		{"a goodbye from elsewhere", offer(1, epA), 0, []Event{{Kind: Left, Record: from(offer(1, epA), stranger)}}, true},
		{
			"another service, from elsewhere", offer(1, epA), 0,
			[]Event{{Kind: Updated, Record: from(other(1), stranger)}},
			true,
		},
		{"a copy and a goodbye from elsewhere", offer(1, epA), time.Second, []Event{
			{Kind: Updated, Record: from(offer(1, epA), stranger, self)},
			{Kind: Left, Record: from(offer(1, epA), stranger, self)},
		}, true},
		{
			"the latest is elsewhere", offer(1, epA), 0,
			[]Event{{Kind: Left, Record: from(offer(1, epA), stranger, self)}},
			true,
		},
		{"the latest is not", offer(1, epA), 0, []Event{{Kind: Left, Record: from(offer(1, epA), self, stranger)}}, false},
		{"moved by a stranger, who says goodbye", offer(1, epA), 0, []Event{
			{Kind: Updated, Record: from(offer(1, epB), stranger)}, {Kind: Left, Record: from(offer(1, epB), stranger)},
		}, true},
		{"moved by a stranger, and a goodbye", offer(1, epA), 0, []Event{
			{Kind: Updated, Record: from(offer(1, epB), stranger)}, {Kind: Left, Record: offer(1, epA)},
		}, false},
		{"elsewhere is an address of its own", wide, 0, []Event{{Kind: Left, Record: from(wide, "10.0.0.150")}}, false},
		{"as its record says later", offer(1, epA), time.Second, []Event{
			{Kind: Updated, Record: wide}, {Kind: Left, Record: from(wide, "10.0.0.150")},
		}, false},
		{"known by a second address at once", offer(1, epA), duplicateWindow, []Event{
			{Kind: Updated, Record: from(offer(1, epA), second, self)}, {Kind: Left, Record: from(offer(1, epA), second, self)},
		}, false},
		{"nobody has addresses", from(offer(1, epA)), 0, []Event{{Kind: Left, Record: from(offer(1, epA))}}, false},
		{"proven", offer(1, epA), 0, []Event{{Kind: Left, Record: proven(from(offer(1, epA), stranger))}}, false},
		{"configured", offer(1, epA), 0, []Event{{Kind: Left, Record: configured(from(offer(1, epA), stranger))}}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			onStage(t, Policy{}, nil, func(g *stage) {
				g.s.open(0, epA)
				g.emit(Added, tc.first)
				g.after(tc.wait)
				for _, e := range tc.then {
					g.emit(e.Kind, e.Record)
				}
				g.after(time.Hour)
				if !tc.stays {
					g.want("in the end")
					g.notified("connected", "disconnected")
					return
				}
				g.want("an hour later", epA+"+")
				g.s.shut(epA)
				g.after(5 * time.Second)
				g.want("the peer has ended it")
				g.notified("connected", "lost", "disconnected")
				if len(g.s.dialled()) != 1 {
					g.Errorf("dialled %v", g.s.dialled())
				}
			})
		})
	}
}

// A node may have moved indeed, which shows once its connection is lost.
func TestStrangersEndpoints(t *testing.T) {
	begin := func(g *stage) {
		g.s.open(0, epA)
		g.emit(Added, offer(1, epA))
		g.emit(Updated, from(offer(1, epB), "10.0.0.201"))
		g.after(time.Hour)
		g.want("what works is kept", epA+"+")
	}
	t.Run("the connection comes back", func(t *testing.T) {
		onStage(t, Policy{}, nil, func(g *stage) {
			begin(g)
			g.s.shut(epA)
			g.after(249 * time.Millisecond)
			g.want("its own first", epA)
			g.after(time.Millisecond)
			g.want("then the other", epA, epB)
			g.s.open(0, epA)
			g.after(0)
			g.want("in the end", epA+"+")
			g.emit(Left, from(offer(1, epB), "10.0.0.201"))
			g.after(time.Hour)
			g.want("the other is a stranger still", epA+"+")
		})
	})
	t.Run("and the node says where it is", func(t *testing.T) {
		onStage(t, Policy{}, nil, func(g *stage) {
			begin(g)
			g.emit(Updated, offer(1, epA, epC))
			g.s.shut(epA)
			g.after(4 * time.Second)
			g.want("that counts", epA, epC)
		})
	})
	t.Run("it does not", func(t *testing.T) {
		onStage(t, Policy{}, nil, func(g *stage) {
			begin(g)
			g.s.open(0, epB)
			g.s.shut(epA)
			g.after(250 * time.Millisecond)
			g.want("the node has moved", epB+"+")
			g.emit(Left, from(offer(1, epB), "10.0.0.201"))
			g.after(10 * time.Second)
			g.want("and leaves from there")
		})
	})
}

// Of a Connector that does not tell whether there is a connection, what is said is all that is known.
func TestStrangersBlind(t *testing.T) {
	onStage(t, Policy{}, func(s *fakeSocket) Connector { return simple{s} }, func(g *stage) {
		g.emit(Added, offer(1, epA))
		g.emit(Updated, from(offer(1, epB), stranger))
		g.want("where it is said to be", epB)
		g.emit(Left, from(offer(1, epB), "10.0.0.67"))
		g.after(10 * time.Second)
		g.want("in the end")
	})
}

// Somebody goes on and on saying something else about a node, newer than what the node says.
func TestForgerPersists(t *testing.T) {
	key, err := GroupKey(bytes.Repeat([]byte{7}, 32))
	must(t, err)
	const self = "10.0.0.101"
	nothing := offer(1)
	nothing.Services = nil
	bye := func(r Record) Record { r.Goodbye = true; return r }
	newer := func(r Record) Record {
		r.Incarnation = uint64(time.Hour)
		return from(r, stranger)
	}
	later := other(1)
	later.Revision++
	copied := from(offer(1, epA), stranger)
	for _, tc := range []struct {
		name  string
		trust Trust
		says  []Record
		stays bool
	}{
		{"another service", Open(), []Record{newer(other(1))}, true},
		{"no service", Open(), []Record{newer(nothing)}, true},
		{"another service, goodbye", Open(), []Record{newer(other(1)), bye(newer(other(1)))}, true},
		{"other endpoints, goodbye", Open(), []Record{newer(offer(1, epB)), bye(newer(offer(1, epB)))}, true},
		{"a copy, goodbye", Open(), []Record{copied, bye(copied)}, true},
		{"a copy, the node, goodbye", Open(), []Record{copied, offer(1, epA), bye(copied)}, true},
		{"with the group's key", key, []Record{newer(other(1))}, false},
	} {
		for name, merging := range map[string]bool{tc.name: false, tc.name + ", merged": true} {
			t.Run(name, func(t *testing.T) {
				onTable(t, tc.trust, merging, func(g *stage, say func(Record) error) {
					for i := range uint64(60) {
						if i%10 == 9 {
							_ = say(offer(1, epA)) // it may not count meanwhile
						}
						for j, r := range tc.says {
							if r.Incarnation > 1 {
								r.Revision = 2*i + uint64(j)
							}
							if err := say(r); i == 0 { // later, a copy may come too soon after a goodbye
								must(g.T, err)
							}
						}
						g.after(500 * time.Millisecond)
					}
					if tc.stays {
						g.want("half a minute later", epA+"+")
						g.notified("connected")
					} else {
						g.want("who has the key is believed")
					}
				})
			})
		}
	}
	for _, tc := range []struct {
		name  string
		says  []Record
		stays bool
	}{
		{"its own goodbye", []Record{copied, bye(from(offer(1, epA), self))}, false},
		{"its own last record", []Record{copied, from(later, self)}, false},
		{"a goodbye from where only a copy came from", []Record{copied, offer(1, epA), bye(copied)}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			onTable(t, Open(), false, func(g *stage, say func(Record) error) {
				for _, r := range tc.says {
					must(g.T, say(r))
				}
				g.after(9 * time.Second)
				g.want("draining, or not", epA+"+")
				g.after(time.Second)
				if tc.stays {
					g.want("in the end", epA+"+")
				} else {
					g.want("in the end")
				}
			})
		})
	}
}

// onTable is onStage with what a table makes of what is said; the first node is connected.
func onTable(t *testing.T, trust Trust, merging bool, test func(g *stage, say func(Record) error)) {
	t.Helper()
	onStage(t, Policy{}, nil, func(g *stage) {
		e := &ether{table: NewTable("ether", TableConfig{Trust: trust})}
		defer e.table.Close()
		var w Watcher = e.table
		if merging {
			w = Merge(port{ether: e}, port{ether: newEther(g.T)})
		}
		ctx, cancel := context.WithCancel(g.Context())
		defer cancel()
		events, err := w.Watch(ctx, Query{Service: "orders"})
		must(g.T, err)
		go func() {
			for e := range events {
				g.w.events <- e
			}
		}()
		say := func(r Record) error {
			must(g.T, trust.Seal(&r))
			err := e.table.Put(r, 15*time.Second)
			g.after(time.Millisecond)
			return err
		}
		g.s.open(0, epA)
		must(g.T, say(offer(1, epA)))
		g.after(time.Second)
		g.want("before", epA+"+")
		test(g, say)
	})
}
