package pubsub

// A prefixes finds those who have subscribed to what a subject begins with, as foreign subscribers do. It is not safe
// for concurrent use.
type prefixes[S comparable] struct {
	topics  map[string]map[S]struct{}
	lengths []int // of the topics: how many have this length
}

func (t *prefixes[S]) add(topic string, s S) {
	set := t.topics[topic]
	if set == nil {
		if t.topics == nil {
			t.topics = make(map[string]map[S]struct{})
		}
		set = make(map[S]struct{})
		t.topics[topic] = set
		for len(t.lengths) <= len(topic) {
			t.lengths = append(t.lengths, 0)
		}
		t.lengths[len(topic)]++
	}
	set[s] = struct{}{}
}

func (t *prefixes[S]) remove(topic string, s S) {
	set := t.topics[topic]
	if delete(set, s); set != nil && len(set) == 0 {
		delete(t.topics, topic)
		t.lengths[len(topic)]--
	}
}

// each calls found for everybody with a topic that the subject begins with; several times for one who has several.
func (t *prefixes[S]) each(subject string, found func(S)) {
	if len(t.topics) == 0 {
		return
	}
	for n := range min(len(t.lengths), len(subject)+1) {
		if t.lengths[n] > 0 {
			for s := range t.topics[subject[:n]] {
				found(s)
			}
		}
	}
}
