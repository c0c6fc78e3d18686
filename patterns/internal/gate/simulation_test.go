package gate

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// A simulation is a service of so many processors that share themselves among all calls that run, and callers that call
// by the clock, whether there are replies or not, and wait for 100 ms. The processors are those of this process if
// handlers compute, or else stand behind them.
type simulation struct {
	processors float64
	computes   bool
	crowded    bool                     // others compute on all processors of this process
	later      float64                  // processors in the second half
	work       func(*rand.Rand) float64 // seconds of one processor
	rate       []float64                // calls a second, of each peer
	gate       *Gate[int, *simulated]
	seconds    float64
}

type simulated struct {
	peer        int
	came, began time.Time
	left        float64
	counts      bool // it came after the first second
}

type tally struct{ calls, good, refused []int }

func sum(of []int) (n int) {
	for _, x := range of {
		n += x
	}
	return n
}

// turn is how long a goroutine computes that has a processor, in seconds.
const turn = 0.005

const simulatedDeadline = 100 * time.Millisecond

func (s *simulation) run(r *rand.Rand) tally {
	out := tally{make([]int, len(s.rate)), make([]int, len(s.rate)), make([]int, len(s.rate))}
	start := time.Unix(0, 0)
	at := func(seconds float64) time.Time { return start.Add(time.Duration(math.Round(seconds * 1e9))) }
	total := 0.0
	for _, rate := range s.rate {
		total += rate
	}
	now, arrival := 0.0, r.ExpFloat64()/total
	var running []*simulated
	looking, looked := 0.0, math.Inf(1) // since when, and until when
	refuse := func(c *simulated) {
		if c.counts {
			out.refused[c.peer]++
		}
	}
	for now < s.seconds {
		processors := s.processors
		if s.later > 0 && now > s.seconds/2 {
			processors = s.later
		}
		speed := min(1, processors/float64(max(len(running), 1)))
		first, end := -1, math.Inf(1)
		for i, c := range running {
			if t := now + c.left/speed; t < end {
				first, end = i, t
			}
		}
		until := min(end, arrival, looked)
		due, ok := s.gate.Due(at(now))
		if ok {
			until = min(until, max(due.Sub(start).Seconds(), now))
		}
		for _, c := range running {
			c.left -= (until - now) * speed
		}
		now = until
		switch until {
		case end:
			c := running[first]
			running[first] = running[len(running)-1]
			running = running[:len(running)-1]
			s.gate.Done(at(now).Sub(c.began), Finished)
			if c.counts && at(now).Sub(c.came) <= simulatedDeadline {
				out.good[c.peer]++
			}
		case looked:
			s.gate.Looked(at(now), at(now).Sub(at(looking)))
			looked = math.Inf(1)
		case arrival:
			peer, x := 0, r.Float64()*total
			for x -= s.rate[0]; x > 0 && peer < len(s.rate)-1; x -= s.rate[peer] {
				peer++
			}
			c := &simulated{peer: peer, came: at(now), left: s.work(r), counts: now > 1}
			if c.counts {
				out.calls[peer]++
			}
			v, other, refused := s.gate.Offer(at(now), peer, c, at(now).Add(simulatedDeadline))
			if refused {
				refuse(other)
			}
			switch v {
			case Run:
				c.began = at(now)
				running = append(running, c)
			case Refuse:
				refuse(c)
			default: // it waits
			}
			arrival = now + r.ExpFloat64()/total
		}
		for {
			c, v := s.gate.Next(at(now))
			if v == Nothing {
				break
			}
			if v == Run {
				c.began = at(now)
				running = append(running, c)
			} else {
				refuse(c)
			}
		}
		if s.gate.Look(at(now)) {
			looking, looked = now, now+1e-6
			if s.crowded {
				looked += 2 * turn
			}
			if s.computes {
				looked += turn * max(0, float64(len(running))/processors-1)
			}
		}
	}
	return out
}

// exponential is work of 5 ms on average, heavy the same with a tail: one call in fifty takes 25 times as long.
func exponential(r *rand.Rand) float64 { return 0.005 * r.ExpFloat64() }

func heavy(r *rand.Rand) float64 {
	if r.IntN(50) == 0 {
		return 0.005 * 25 / 1.48 * r.ExpFloat64()
	}
	return 0.005 / 1.48 * r.ExpFloat64()
}

const (
	processors = 8
	capacity   = processors / 0.005 // calls a second
)

// computing is a service whose handlers compute on all processors there are.
var computing = Config{Processors: processors}

// Goodput is the calls that get a reply within their deadline, of those that the service could do.
func TestGoodput(t *testing.T) {
	for _, tt := range []struct {
		name    string
		config  Config
		load    float64 // of the capacity
		work    func(*rand.Rand) float64
		later   float64
		compute bool
		crowded bool
		goodput float64 // the least, in % of the capacity
		refused float64 // the most, in % of the calls
	}{
		{"10 times", Config{}, 10, exponential, 0, false, false, 90, 100},
		{"10 times with a heavy tail", Config{}, 10, heavy, 0, false, false, 85, 100},
		{"10 times, half the capacity in the middle", Config{}, 10, exponential, processors / 2, false, false, 90, 100},
		{"1.2 times", Config{}, 1.2, exponential, 0, false, false, 90, 100},
		{"0.8 times", Config{}, 0.8, exponential, 0, false, false, 79, 0},
		{"10 times at a fixed limit", Config{Limit: processors}, 10, exponential, 0, false, false, 90, 100},
		{"10 times what computes", computing, 10, exponential, 0, true, false, 95, 100},
		{"10 times what computes, with a heavy tail", computing, 10, heavy, 0, true, false, 90, 100},
		{"10 times what computes, then half of it", computing, 10, exponential, processors / 2, true, false, 85, 100},
		{"10 times beside others who compute", Config{Processors: 1}, 10, exponential, 0, false, true, 85, 100},
		{"1.2 times what computes", computing, 1.2, exponential, 0, true, false, 95, 100},
		{"0.8 times what computes", computing, 0.8, exponential, 0, true, false, 79, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := simulation{
				processors: processors, computes: tt.compute, crowded: tt.crowded, later: tt.later, work: tt.work,
				seconds: 5, rate: []float64{tt.load * capacity},
				gate: New[int, *simulated](tt.config),
			}
			got := s.run(rand.New(rand.NewPCG(1, 2)))
			could := capacity * (s.seconds - 1)
			if tt.later > 0 {
				could = capacity*(s.seconds/2-1) + capacity/2*s.seconds/2
			}
			goodput, refused := 100*float64(sum(got.good))/could, 100*float64(sum(got.refused))/float64(sum(got.calls))
			t.Logf("goodput %.1f %%, refused %.2f %%, limit %d", goodput, refused, s.gate.Limit())
			if goodput < tt.goodput || refused > tt.refused {
				t.Errorf("want %v %% at least, and %v %% refused at most", tt.goodput, tt.refused)
			}
		})
	}
}

// What a Gate is for: where calls may wait for as long as they like, most of what is done is for callers that have
// given up.
func TestGoodputOfAPlainQueue(t *testing.T) {
	s := simulation{
		processors: processors, work: exponential, seconds: 5, rate: []float64{10 * capacity},
		gate: New[int, *simulated](Config{Limit: processors, Wait: time.Hour}),
	}
	got := s.run(rand.New(rand.NewPCG(1, 2)))
	goodput := 100 * float64(sum(got.good)) / (capacity * (s.seconds - 1))
	t.Logf("goodput %.1f %%", goodput)
	if goodput > 50 {
		t.Errorf("the simulation does not show it")
	}
}

// One client at ten times the capacity, nine at a twentieth: what the nine lose is at most two calls in a hundred,
// where the one loses more than nine in ten.
func TestGreedyPeerHarmsItselfOnly(t *testing.T) {
	rates := []float64{10 * capacity}
	for range 9 {
		rates = append(rates, 0.05*capacity)
	}
	var calls, good, total int
	for seed := range uint64(3) {
		s := simulation{
			processors: processors, work: exponential, seconds: 3, rate: rates, gate: New[int, *simulated](Config{}),
		}
		got := s.run(rand.New(rand.NewPCG(seed, 4)))
		calls, good, total = calls+sum(got.calls[1:]), good+sum(got.good[1:]), total+sum(got.good)
	}
	t.Logf("of the nine %d of %d, in all %d", good, calls, total)
	if float64(good) < 0.98*float64(calls) {
		t.Errorf("%d of %d calls of modest peers were answered", good, calls)
	}
	if could := 3 * 2 * capacity; float64(total) < 0.9*could {
		t.Errorf("goodput of %d calls, of %v", total, could)
	}
}
