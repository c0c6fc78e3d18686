package dns_test

import (
	"fmt"

	"github.com/yodel-mq/yodel/discovery/dns"
)

// The pods of a headless Service of Kubernetes whose port is named "orders".
func ExampleNew() {
	b, err := dns.New("yodel.shop.svc.cluster.local.", dns.WithSRV("orders", ""))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(b.Name())
	// Output: dns
}
