package gossip

import (
	"testing"
	"time"

	"github.com/yodel-mq/yodel/discovery/internal/watchtest"
)

// A probe of memberlist ends by itself, some seconds after all else.
func TestMain(m *testing.M) { watchtest.Main(m, 20*time.Second) }
