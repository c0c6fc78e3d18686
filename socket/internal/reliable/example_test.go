package reliable_test

import (
	"fmt"

	"github.com/yodel-mq/yodel/socket/internal/reliable"
)

// A link that is cut, and what is sent again over the next one.
func Example() {
	s := reliable.NewSender(reliable.SenderConfig[string]{})
	r := reliable.NewReceiver(reliable.ReceiverConfig{}, nil)

	link, open, _ := s.Open()
	at, opened := r.Open(open)
	_, _ = s.Opened(link, opened)
	s.Wrote(link, 3, 30, "the first write")
	s.Wrote(link, 2, 20, "the second write")
	r.Judge(at, 4) // the last message was cut off
	r.Took(4)
	r.Settle(0, 3, 30)
	ack, _ := r.Acknowledge()
	done, _ := s.Ack(link, 0, ack)
	fmt.Println("acknowledged", ack.Upto, done.Payloads)

	s.Lost(link, 0)
	r.Lost(at)
	link, open, _ = s.Open()
	_, opened = r.Open(open)
	fmt.Println("held", opened.Held, "next", opened.Next)
	resumed, _ := s.Opened(link, opened)
	for _, p := range resumed.Again {
		fmt.Println("again, of", p.Payload, "from", p.Skip, "on:", p.Count, "with number", p.Number)
	}
	// Output:
	// acknowledged 3 [the first write]
	// held [{4 5}] next 5
	// again, of the second write from 1 on: 1 with number 5
}
