package main

import "context"

type mixPlan struct{}

func (w *worker) mix(ctx context.Context, c command) error { return nil }
