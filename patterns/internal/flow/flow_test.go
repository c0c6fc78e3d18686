package flow

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

func TestSender(t *testing.T) {
	var s Sender
	if s.Ready() {
		t.Error("it begins with credit")
	}
	grant := func(n uint64, want error) {
		t.Helper()
		if err := s.Grant(n); !errors.Is(err, want) {
			t.Errorf("Grant(%d): %v", n, err)
		}
	}
	grant(1, nil)
	if !s.Ready() {
		t.Error("a byte of credit is not enough")
	}
	s.Sent(1000)
	grant(1062, nil)
	if s.Ready() {
		t.Error("it may send with a byte less than it has sent") // 1 - 1064 + 1062 = -1
	}
	grant(2, nil)
	if !s.Ready() {
		t.Error("it may not send")
	}
	grant(MostCredit, ErrCredit)
	grant(math.MaxUint64, ErrCredit)
	grant(1<<63, ErrCredit)
	grant(MostCredit-1, nil)
	grant(1, ErrCredit)
	s.Sent(0)
	grant(64, nil)
}

func TestReceiver(t *testing.T) {
	r, n := NewReceiver(10_000)
	if n != 10_000 {
		t.Fatalf("%d to begin with", n)
	}
	for range 10 {
		if err := r.Arrived(1000 - Overhead); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Arrived(0); !errors.Is(err, ErrOverrun) {
		t.Errorf("one too many: %v", err)
	}
	for i := range 10 {
		want := uint64(0)
		if i%5 == 4 {
			want = 5000
		}
		if got := r.Read(1000 - Overhead); got != want {
			t.Errorf("%d given back after %d items, want %d", got, i+1, want)
		}
	}
	if r.Held() != 0 {
		t.Errorf("%d are held", r.Held())
	}
	// One item may be larger than the window.
	if err := r.Arrived(1 << 30); err != nil {
		t.Error(err)
	}
	if got := r.Read(1 << 30); got != 1<<30+Overhead {
		t.Errorf("%d given back", got)
	}
	for window, want := range map[int]uint64{0: 1024, -5: 1024, 1 << 20: 1 << 20, math.MaxInt: MostCredit} {
		if _, got := NewReceiver(window); got != want {
			t.Errorf("a window of %d is %d", window, got)
		}
	}
}

// Both sides together, with credit and items under way for any time: nothing is sent beyond the credit, no more than
// the window and one item is held, and the stream never stands still for good.
func TestBothSides(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		window := 1024 << r.IntN(6)
		receiver, first := NewReceiver(window)
		var sender Sender
		grants, items, held := []uint64{first}, []int(nil), []int(nil)
		largest, read := 0, 0
		for step := 0; read < 300; step++ {
			if step > 100_000 {
				t.Fatalf("seed %d: it stands still after %d items", seed, read)
			}
			switch r.IntN(4) {
			case 0:
				if len(grants) > 0 {
					if err := sender.Grant(grants[0]); err != nil {
						t.Fatal(err)
					}
					grants = grants[1:]
				}
			case 1:
				if sender.Ready() {
					size := r.IntN(2000)
					largest = max(largest, size)
					sender.Sent(size)
					items = append(items, size)
				}
			case 2:
				if len(items) > 0 {
					if err := receiver.Arrived(items[0]); err != nil {
						t.Fatalf("seed %d: %v", seed, err)
					}
					held, items = append(held, items[0]), items[1:]
				}
			case 3:
				if len(held) > 0 {
					if n := receiver.Read(held[0]); n > 0 {
						grants = append(grants, n)
					}
					held, read = held[1:], read+1
				}
			}
			sum := int64(0)
			for _, size := range held {
				sum += int64(size) + Overhead
			}
			if sum != receiver.Held() || sum > int64(window+largest+Overhead) {
				t.Fatalf("seed %d: %d are held, by its count %d, of a window of %d", seed, sum, receiver.Held(), window)
			}
		}
	}
}
