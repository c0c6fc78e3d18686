package zmtp

// First byte of a message that is a subscription in ZMTP 3.0.
const (
	markCancel    = 0
	markSubscribe = 1
)

// AppendSubscribe adds a whole frame that subscribes to topic, in the form a peer
// of version v understands: a SUBSCRIBE command for 3.1 and later, a message of
// 0x01 and the topic before that. An empty topic matches every message.
func AppendSubscribe(b []byte, v Version, topic []byte) []byte {
	return appendSubscription(b, v, CommandSubscribe, markSubscribe, topic)
}

// AppendCancel adds a whole frame that takes back one subscription to topic, in
// the form a peer of version v understands: a CANCEL command, or a message of 0x00
// and the topic.
func AppendCancel(b []byte, v Version, topic []byte) []byte {
	return appendSubscription(b, v, CommandCancel, markCancel, topic)
}

func appendSubscription(b []byte, v Version, command string, mark byte, topic []byte) []byte {
	if v.HasCommands() {
		b = appendCommandHead(b, command, len(topic))
	} else {
		// The size counts the marker: libzmq forgets it when it chooses the form of
		// the header, and corrupts the stream at a topic of 255 bytes.
		b = AppendHeader(b, 0, 1+len(topic))
		b = append(b, mark)
	}
	return append(b, topic...)
}

// ParseSubscription reads the body of a message frame in the 3.0 form. With ok
// false it is no subscription but an ordinary message. The topic points into body.
// Publishers should take this form from every peer, whatever its version, as
// libzmq does; the command forms need no parser, their data is the topic.
func ParseSubscription(body []byte) (topic []byte, subscribe, ok bool) {
	if len(body) == 0 || body[0] > markSubscribe {
		return nil, false, false
	}
	return body[1:], body[0] == markSubscribe, true
}
