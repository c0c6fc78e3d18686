package main

import (
	"context"
	"encoding/json"

	"github.com/yodel-mq/yodel/socket/spool"
)

// What spout --durable keeps beside its messages: how far the run is.

// A spoutState says in the spool how far a run is. It is written with the messages.
type spoutState struct {
	Command string `json:"command"`
	ID      string `json:"id"`
	Sent    int    `json:"sent"`
	Next    uint64 `json:"next"` // of a topic: the number that message Sent gets, if it is stored
	Over    bool   `json:"over"` // all was sent
}

const stateKey = "spout"

// resume finds out what an earlier run of the same command has sent, if it came to no end.
func (s *spouting) resume() error {
	q := s.flags.store
	if q == nil {
		return nil
	}
	var st spoutState
	text, ok := q.Value(stateKey)
	if !ok || json.Unmarshal(text, &st) != nil || st.Over || st.Command != s.spout.fingerprint() || st.Sent < 0 {
		return nil
	}
	s.id, s.from = st.ID, st.Sent
	if s.pub != nil && q.Stats().Next > st.Next {
		s.from++
	}
	if s.from > 0 {
		s.con.notef("spout: going on with a run that was interrupted, of which %s %s sent",
			countOf(s.from, "message"), wasOrWere(s.from))
	}
	return nil
}

func wasOrWere(n int) string {
	if n == 1 {
		return "was"
	}
	return "were"
}

// state is what the spool is to know once n messages are sent.
func (s *spouting) state(n int, over bool) ([]byte, error) {
	return json.Marshal(spoutState{
		Command: s.spout.fingerprint(), ID: s.id, Sent: n, Next: s.flags.store.Stats().Next, Over: over,
	})
}

// commit writes the state, and a message unless it is nil.
func (s *spouting) commit(ctx context.Context, state []byte, m *spool.Message) error {
	tx := s.flags.store.Begin()
	if m != nil {
		if err := tx.Append(*m); err != nil {
			return failf("%w", err)
		}
	}
	if err := tx.Set(stateKey, state); err != nil {
		return failf("%w", err)
	}
	_, err := tx.Commit(ctx)
	return err
}

// noteOver notes in the spool that the run has sent all that it was to send and comes to its end: the same command is
// another run from now on.
func (s *spouting) noteOver() error {
	state, err := s.state(s.spout.count, true)
	if err != nil {
		return failf("%w", err)
	}
	if err := s.commit(context.Background(), state, nil); err != nil {
		return failf("%w", err)
	}
	return nil
}
