package gossip

import (
	"os"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/discovery/internal/watchtest"
)

func TestMain(m *testing.M) {
	if os.Getenv(memberSeed) != "" { // a process that TestRoutedNetworks has started
		memberMain()
		return
	}
	watchtest.Main(m, 20*time.Second) // a probe of memberlist ends by itself, some seconds after all else
}
