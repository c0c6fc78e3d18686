package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/yodel-mq/yodel/examples/internal/clitest"
)

func TestMain(m *testing.M) { clitest.Main(m, main) }

// TestSale: under ten times the load customers are refused, and the others served; what comes to each adds up, nothing
// is sold beyond the stock, and all that is sold gets packed, though the shop is told to close before.
func TestSale(t *testing.T) {
	const stock = 150
	shop := clitest.Start(t, "--at", "tcp://127.0.0.1:*", "--stock", fmt.Sprint(stock), "shop")
	_, at, _ := strings.Cut(shop.Says("open at "), "open at ")
	crowd := clitest.Start(t, "--at", at, "--phase", "1s", "crowd")
	var served, unserved int // on a machine that is busy itself some come too late rather than being refused
	for _, load := range []string{"0.1", "0.8", "10.0"} {
		var came, bought, out, turned, late int
		line := strings.TrimSpace(strings.TrimPrefix(crowd.Says("load "), "load "))
		_, err := fmt.Sscanf(line, load+": %d came, %d bought, %d found it sold out, %d were refused, %d too late",
			&came, &bought, &out, &turned, &late)
		if err != nil || came == 0 || came != bought+out+turned+late {
			t.Errorf("%v: %s", err, line)
		}
		served, unserved = served+bought+out, unserved+turned+late
	}
	crowd.Ends()
	if served == 0 || unserved == 0 {
		t.Errorf("%d were served, %d not", served, unserved)
	}
	shop.Signal(os.Interrupt)
	var sold, packed int
	line := shop.Says(" packed")
	if !strings.HasPrefix(line, "closed: ") {
		t.Errorf("it says %q", line)
	}
	line = shop.Says(" packed")
	_, err := fmt.Sscanf(line, "%d sold, %d packed", &sold, &packed)
	if err != nil || sold != packed || sold > stock || sold == 0 {
		t.Errorf("%v: %s", err, line)
	}
	shop.Ends()
}
