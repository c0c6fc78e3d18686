package main

import (
	"context"
	"errors"
	"slices"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/spool"
)

// A mailPrinter prints messages in batches, and acknowledges them once they are written. With --durable what was
// written is noted twice: in a record, before and after, and as taken on disk, which comes later.
type mailPrinter struct {
	*app
	clean  bool
	record *printRecord // or nil
	taken  *spool.Spool // or nil

	text    []byte
	printed []*socket.Delivery
	passed  []*socket.Delivery // that are not to be printed, or were before

	unsure []socket.MessageID // written, and not on disk as taken when last seen
	before map[socket.MessageID]bool
}

// newMailPrinter makes a printer, and finds out what the process before this one has printed and not noted as taken.
func newMailPrinter(a *app, record *printRecord, taken *spool.Spool) (*mailPrinter, error) {
	p := &mailPrinter{
		app: a, clean: isTerminal(a.stdout), record: record, taken: taken, before: make(map[socket.MessageID]bool),
	}
	if record == nil {
		return p, nil
	}
	ids, err := record.recover(a.stdout)
	p.unsure = untaken(taken, ids)
	for _, id := range p.unsure {
		p.before[id] = true
	}
	return p, err
}

// untaken are the messages that a spool does not know as taken.
func untaken(q *spool.Spool, ids []socket.MessageID) (rest []socket.MessageID) {
	for _, id := range ids {
		floor, above, known := q.Taken(id.Stream)
		inside := func(r spool.Range) bool { return r.From <= id.Seq && id.Seq < r.To }
		if !known || id.Seq >= floor && !slices.ContainsFunc(above, inside) {
			rest = append(rest, id)
		}
	}
	return rest
}

// knows reports whether an earlier run has printed a message.
func (p *mailPrinter) knows(d *socket.Delivery) bool { return p.before[d.ID] }

// full reports whether it is time to flush.
func (p *mailPrinter) full() bool {
	return len(p.printed)+len(p.passed) >= maxPrinted || len(p.text) >= 64<<10
}

// pass takes a message that is not to be printed.
func (p *mailPrinter) pass(d *socket.Delivery) { p.passed = append(p.passed, d) }

// print takes a message that is.
func (p *mailPrinter) print(d *socket.Delivery, m *mail, format mailFormat) (err error) {
	start := len(p.text)
	if p.text, err = p.appendPrinted(p.text, m, format); err != nil {
		return err
	}
	if p.clean {
		line := appendClean(nil, p.text[start:len(p.text)-1])
		p.text = append(append(p.text[:start], line...), '\n')
	}
	p.printed = append(p.printed, d)
	return nil
}

// flush writes what there is to print, and acknowledges it.
func (p *mailPrinter) flush() error {
	if len(p.text) > 0 {
		if err := p.write(); err != nil {
			return err
		}
	}
	done := append(p.passed, p.printed...)
	p.passed, p.printed, p.text = nil, nil, p.text[:0]
	if len(done) == 0 {
		return nil
	}
	for _, d := range done[:len(done)-1] {
		if err := d.Ack(); err != nil {
			return failf("%w", err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), tellWithin)
	defer cancel()
	if err := done[len(done)-1].AckSync(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return failf("%w", err)
	}
	if p.taken != nil {
		p.unsure = untaken(p.taken, p.unsure)
	}
	return nil
}

// write writes the text, and has the record say so.
func (p *mailPrinter) write() error {
	var ids []socket.MessageID
	for _, d := range p.printed {
		if d.ID != (socket.MessageID{}) {
			ids = append(ids, d.ID)
		}
	}
	if p.record != nil {
		if err := p.record.begin(p.stdout, p.unsure, ids, p.text); err != nil {
			return failf("%w", err)
		}
	}
	if _, err := p.stdout.Write(p.text); err != nil {
		return outputError(err)
	}
	if p.record != nil {
		p.unsure = append(p.unsure, ids...)
		if err := p.record.end(); err != nil {
			return failf("%w", err)
		}
	}
	return nil
}
