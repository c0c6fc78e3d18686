package dns

import (
	"testing"
	"time"

	"github.com/yodel-mq/yodel/discovery/internal/watchtest"
)

func TestMain(m *testing.M) { watchtest.Main(m, 3*time.Second) }
