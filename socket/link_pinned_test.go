package socket

import (
	"fmt"
	"slices"
	"testing"
)

// TestPinnedMessages: which messages of a batch are pinned stays known, whatever is taken off its front.
func TestPinnedMessages(t *testing.T) {
	for _, c := range []struct {
		name   string
		sent   string // each letter is a message, capitals are pinned
		taken  int    // from the front
		then   string // sent afterwards
		others string // what goes to other peers in the end
	}{
		{"none", "abc", 0, "", "abc"},
		{"all", "ABC", 0, "", ""},
		{"one between others", "aBc", 0, "", "ac"},
		{"the first of all is taken", "aBc", 1, "", "c"},
		{"a pinned one is taken", "aBcD", 2, "", "c"},
		{"more come behind", "aBc", 1, "dE", "cd"},
		{"all are taken before", "aBc", 3, "dEf", "df"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b batch
			add := func(letters string) {
				for _, r := range letters {
					b.add([][]byte{[]byte(string(r))}, 1)
					if r < 'a' {
						b.pin()
					}
				}
			}
			for range 2 { // the second time with what the first has left
				add(c.sent)
				for range c.taken {
					b.shift(false)
				}
				add(c.then)
				_, rest, _ := b.undo(0, nil)
				got := ""
				for _, m := range rest {
					if m.From != pinned {
						got += string(m.Bytes())
					}
				}
				if got != c.others {
					t.Fatalf("%q are for others, want %q", got, c.others)
				}
			}
		})
	}
}

// TestUnpin: what is left keeps its attempts, and its books balance.
func TestUnpin(t *testing.T) {
	dealer := NewDealer()
	defer dealer.Close()
	l := &link{core: dealer.core, ep: &endpointState{}, peer: &Peer{}}
	l.initOut(&dealer.out)
	var unsent []Msg
	o := &dealer.out
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := range 6 {
		m := Text(fmt.Sprint(i))
		if i%2 == 1 {
			m.From = pinned
		}
		unsent = append(unsent, m)
		o.account(l, &outgoing{size: m.Size()})
	}
	l.out.attempts = attempts{{0, 1, tries{n: 1}}, {1, 1, tries{n: 2}}, {4, 1, tries{n: 3}}}
	left := l.unpin(unsent)
	if len(left) != 3 || l.out.counts.queued.Messages != 3 || l.out.counts.dropped[PeerGone].Messages != 3 {
		t.Errorf("left are %v; queued %v, dropped %v", left, l.out.counts.queued, l.out.counts.dropped)
	}
	if want := (attempts{{0, 1, tries{n: 1}}, {2, 1, tries{n: 3}}}); !slices.Equal(l.out.attempts, want) {
		t.Errorf("the attempts are %v, want %v", l.out.attempts, want)
	}
}
