package prefix_test

import (
	"fmt"

	"github.com/yodel-mq/yodel/socket/internal/prefix"
)

func ExampleTree() {
	var subscribed prefix.Tree[string]
	subscribed.Add("", "archive")
	subscribed.Add("weather.", "display")
	subscribed.Add("weather.oslo", "phone")
	subscribed.Add("stocks.", "trader")

	subscribed.Match([]byte("weather.oslo.wind"), func(who []string) bool {
		fmt.Println(who)
		return true // look for longer prefixes as well
	})
	// Output:
	// [archive]
	// [display]
	// [phone]
}
