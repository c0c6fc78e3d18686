package socket

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// waits is a round beside the number of messages that each link has, which an inbox would know.
type waits struct {
	round round
	names map[*link]string
	left  map[string]int
	links map[string]*link
}

func newWaits() *waits {
	return &waits{names: make(map[*link]string), left: make(map[string]int), links: make(map[string]*link)}
}

func (w *waits) come(name string, n int) {
	l := w.links[name]
	if l == nil {
		l = new(link)
		w.links[name], w.names[l] = l, name
	}
	if w.left[name] == 0 {
		w.round.enter(l)
	}
	w.left[name] += n
}

func (w *waits) take() string {
	name := w.names[w.round.turn()]
	w.left[name]--
	w.round.took(w.left[name] > 0)
	return name
}

// The order in which messages are handed out: "a3" is three messages that a brings, "-a" is that it loses what it has
// left, "a last" that all others come before it, "." that one is handed out.
func TestRound(t *testing.T) {
	for _, c := range []struct{ name, does, want string }{
		{"one of each in turn", "a3 b3 c3 . . . . . . . . .", "abcabcabc"},
		{"who had nothing goes first", "a9 b9 c9 . . . . x1 . . . .", "abcaxbca"},
		{"then it waits for its turn", "a9 b9 c9 . . . . x3 . . . . . . .", "abcaxbcaxbc"},
		{"two of them in the order they came", "a9 b9 c9 . . . . x1 y1 . . . .", "abcaxybc"},
		{"one after the other", "a9 b9 . . . x1 . . x1 . . x1 . .", "abaxbxaxb"},
		{
			"one that does not stop leaves others their turn", "a9 b9 . . . " + strings.Repeat("x1 . ", 9) + ". " +
				strings.Repeat("x1 . ", 9) + ".",
			"abaxxxxxxxxbxxxxxxxxxab",
		},
		{"many at once do, too", "a9 . . c1 d1 e1 f1 g1 h1 i1 j1 k1 l1 . . . . . . . . . . .", "aacdefghijkla"},
		{"one that goes first is removed", "a9 b9 . . . x1 y1 -x . . . .", "abaybab"},
		{"one that is not its turn any more is removed", "a9 b9 c9 . . x1 -a . . . .", "abcxbc"},
		{"one behind is removed", "a9 b9 c9 . x1 -c . . . .", "abxab"},
		{"the last one is removed", "a1 -a b2 . .", "bb"},
		{"all others before one", "a9 b9 c9 . . . b last . . .", "abccab"},
		{"all others before one, whoever was to go first", "a9 b9 . . x1 b last . . .", "abxab"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWaits()
			var got strings.Builder
			does := strings.Fields(c.does)
			for i, d := range does {
				switch {
				case d == ".":
					got.WriteString(w.take())
				case d == "last":
				case i+1 < len(does) && does[i+1] == "last":
					w.round.othersFirst(w.links[d])
				case d[0] == '-':
					w.round.remove(w.links[d[1:]])
					w.left[d[1:]] = 0
				default:
					w.come(d[:1], int(d[1]-'0'))
				}
			}
			if got.String() != c.want {
				t.Errorf("%s, want %s", &got, c.want)
			}
		})
	}
}

// Whatever comes and goes, each link that has something gets its turn while the others have theirs, and aheadMost
// times as many that go first.
func TestRoundStarvesNobody(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	const links = 10
	w := newWaits()
	waiting := make(map[string]int) // how many others were taken since
	for range 200_000 {
		switch name := string('a' + rune(random.IntN(links))); random.IntN(20) {
		case 0:
			if l := w.links[name]; l != nil && w.left[name] > 0 {
				w.round.remove(l)
				w.left[name] = 0
			}
		case 1:
			w.come(name, 1+random.IntN(20))
		default:
			w.come(name, 1)
		}
		if len(w.round.links) == 0 {
			continue
		}
		took := w.take()
		waiting[took] = 0
		for name, left := range w.left {
			if left == 0 {
				waiting[name] = 0
			} else if name != took {
				waiting[name]++
			}
			if most := links * (aheadMost + 1); waiting[name] > most {
				t.Fatalf("%s has waited for %d others", name, waiting[name])
			}
		}
	}
}
