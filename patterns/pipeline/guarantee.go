package pipeline

// A Guarantee is what a [Pusher] promises of a job that it has accepted.
type Guarantee int

// The guarantees.
const (
	// AtLeastOnce: it is done at least once, or becomes a dead letter, while the pusher's process lives.
	AtLeastOnce Guarantee = iota
	// Durable: so it is across the death of the pusher's process and of its machine. See [WithSpool].
	Durable
)

// String returns the guarantee in words.
func (g Guarantee) String() string {
	if g == Durable {
		return "durable"
	}
	return "at least once, while the pusher lives"
}

// Guarantee tells what the pusher promises of a job that it has accepted.
func (p *Pusher[T]) Guarantee() Guarantee {
	if p.p.disk != nil {
		return Durable
	}
	return AtLeastOnce
}
