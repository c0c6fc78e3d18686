package ranges_test

import (
	"fmt"

	"github.com/yodel-mq/yodel/socket/internal/ranges"
)

func ExampleSet() {
	var s ranges.Set
	s.Raise(1) // numbers begin with 1
	s.AddRange(1, 5)
	s.Add(7)
	fmt.Println(s.Floor(), s.Above(), s.Contains(7), s.Add(7))
	for gap := range s.Gaps(0, 10) {
		fmt.Println("missing from", gap.From, "up to", gap.To)
	}
	s.AddRange(5, 7)
	fmt.Println(s.Floor(), s.Above())
	// Output:
	// 5 [{7 8}] true false
	// missing from 5 up to 7
	// missing from 8 up to 10
	// 8 []
}

func ExampleFrom() {
	s := ranges.From(5, ranges.Range{From: 9, To: 11}, ranges.Range{From: 5, To: 7})
	fmt.Println(s.Floor(), s.Above())
	// Output: 7 [{9 11}]
}
