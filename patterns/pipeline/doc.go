// Package pipeline gives jobs to workers, and sees that each is done: acknowledged, given again when a worker fails
// or dies, in order where that is asked for, and a dead letter if it comes to nothing.
//
//	push := pipeline.NewPusher[File]()
//	push.Bind(ctx, "tcp://*:5557")
//	r, err := push.Push(ctx, File{"a"})
//	err = r.Wait(ctx)
//
//	work := pipeline.NewWorker[File]()
//	work.Connect("tcp://10.0.0.7:5557")
//	err := work.Run(ctx, 8, func(ctx context.Context, j *pipeline.Job[File]) error { return store(ctx, j.Value) })
//
// # How data flows
//
//	Push ──► pusher: pending ──► socket ──► worker: in store ──► Run, Jobs
//	Receipt ◄── settled ◄── ack, nack, reject, or in progress ◄──┘
//
// The [Pusher] owns its jobs until they are settled, and decides which worker gets which: the oldest job to the
// worker that has the most room for it. A [Worker] says how many it wants; what it has is on lease. When the lease
// runs out without a word, or the connection is lost for longer than a second, the job goes to another worker, with
// [Job.Attempt] above 0. So a job is done at least once while the pusher lives, and exactly once while no worker dies
// or is cut off for long; work that must not be done twice keeps the [ID] of its job with what it did.
//
// With a spool ([WithSpool]) the jobs survive the pusher as well. A worker that stays meanwhile goes on with what it
// has, and does no job twice; one that has gone had its jobs in vain, and others are told that they may be done
// already.
//
// Either side binds and the other connects. Plain ZeroMQ sockets can take part: REQ, DEALER, ROUTER and, bound, REP
// as workers, DEALER and ROUTER as pushers; patterns/WIRE.md says what they send.
//
// Start reading at [NewPusher], [Pusher.Push], [NewWorker] and [Worker.Run]. Inside, patterns/internal/dispatch
// decides, and patterns/internal/line has the connections.
package pipeline
