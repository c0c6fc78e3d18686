package socket

import (
	"container/list"
	"strings"
)

// lastValues keeps the last message of each topic, guarded by core.out.mu.
type lastValues struct {
	byTopic map[string]*list.Element
	order   list.List // of Msg, the one published last at the back
}

func (v *lastValues) keep(m Msg, most int) {
	if v.byTopic == nil {
		v.byTopic = make(map[string]*list.Element)
	}
	m = Msg{Frames: m.Frames}.clone() // a receiver in this process may change its own
	topic := string(m.Frames[0])
	if e := v.byTopic[topic]; e != nil {
		e.Value = m
		v.order.MoveToBack(e)
		return
	}
	if v.order.Len() >= most {
		oldest := v.order.Front()
		delete(v.byTopic, string(v.order.Remove(oldest).(Msg).Frames[0]))
	}
	v.byTopic[topic] = v.order.PushBack(m)
}

// replay sends what is kept and matches to a new subscriber, in the order it was published.
func (v *lastValues) replay(l *link, topic string) {
	for e := v.order.Front(); e != nil; e = e.Next() {
		if m := e.Value.(Msg); strings.HasPrefix(string(m.Frames[0]), topic) {
			l.core.out.give(l, m)
		}
	}
}
