package pipeline

import (
	"context"
	"iter"
)

// Map pushes items as jobs, as far ahead as may be pending, and yields their results in the order of the items. The
// error of a job that came to nothing, or whose result is no Out, is yielded in its place, and the loop goes on; when
// ctx ends, or an item is not accepted, that error is the last. A loop that is left lets the jobs that are pending
// go on.
func Map[Out, In any](ctx context.Context, p *Pusher[In], items iter.Seq[In]) iter.Seq2[Out, error] {
	return func(yield func(Out, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		receipts := make(chan *Receipt, p.p.cfg.pending)
		failed := make(chan error, 1)
		pushed := make(chan struct{})
		defer func() { <-pushed }()
		defer cancel()
		go func() {
			defer close(pushed)
			defer close(receipts)
			for item := range items {
				r, err := p.Push(ctx, item)
				if err != nil {
					failed <- err
					return
				}
				select {
				case receipts <- r:
				case <-ctx.Done():
					failed <- opError("map", context.Cause(ctx))
					return
				}
			}
		}()
		for r := range receipts {
			var out Out
			err := r.Wait(ctx)
			over := err != nil && r.Err() != err //nolint:errorlint // of ctx, and not of the job
			if err == nil {
				err = r.Result(&out)
			}
			if !yield(out, err) || over {
				return
			}
		}
		select {
		case err := <-failed:
			var none Out
			yield(none, err)
		default:
		}
	}
}
