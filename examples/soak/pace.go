package main

import (
	"context"
	"time"
)

// A pace lets so many through a second.
type pace struct {
	rate  int
	began time.Time
	count int
}

func newPace(rate int) *pace { return &pace{rate: rate, began: time.Now()} }

// wait waits until it is time for the next one, and tells false if ctx ends first. Who is late may make up for at most
// a tenth of a second.
func (p *pace) wait(ctx context.Context) bool {
	if p.rate > 0 {
		due := p.began.Add(time.Duration(p.count) * time.Second / time.Duration(p.rate))
		p.count++
		ahead := time.Until(due)
		if ahead > time.Millisecond {
			pause(ctx, ahead)
		} else if ahead < -100*time.Millisecond {
			p.began, p.count = time.Now(), 0
		}
	}
	return ctx.Err() == nil
}

// pause waits for a time or the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
