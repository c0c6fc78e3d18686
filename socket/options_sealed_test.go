package socket

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/transport"
)

// accepts lists the roles whose constructors take an option. What is not of such a type does not compile there.
func accepts(o any) string {
	var roles []string
	note := func(role string, takes bool) {
		if takes {
			roles = append(roles, role)
		}
	}
	_, ok := o.(PushOption)
	note("PUSH", ok)
	_, ok = o.(PullOption)
	note("PULL", ok)
	_, ok = o.(PubOption)
	note("PUB", ok)
	_, ok = o.(SubOption)
	note("SUB", ok)
	_, ok = o.(ReqOption)
	note("REQ", ok)
	_, ok = o.(RepOption)
	note("REP", ok)
	_, ok = o.(DealerOption)
	note("DEALER", ok)
	_, ok = o.(RouterOption)
	note("ROUTER", ok)
	_, ok = o.(PairOption)
	note("PAIR", ok)
	_, ok = o.(XPubOption)
	note("XPUB", ok)
	_, ok = o.(XSubOption)
	note("XSUB", ok)
	return strings.Join(roles, " ")
}

// TestOptionsByRole: an option that means nothing to a role is not of the type that its constructor takes.
func TestOptionsByRole(t *testing.T) {
	const (
		all     = "PUSH PULL PUB SUB REQ REP DEALER ROUTER PAIR XPUB XSUB"
		senders = "PUSH PUB REP DEALER ROUTER PAIR XPUB XSUB"
		queues  = "PUSH REQ DEALER PAIR"
	)
	for _, c := range []struct {
		name string
		opt  any
		want string
	}{
		{"WithIdentity", WithIdentity("a"), all},
		{"WithMetadata", WithMetadata("X-A", "a"), all},
		{"WithSendHWM", WithSendHWM(1), all},
		{"WithSendHWMBytes", WithSendHWMBytes(1), all},
		{"WithRecvHWM", WithRecvHWM(1), all},
		{"WithRecvHWMBytes", WithRecvHWMBytes(1), all},
		{"WithReconnect", WithReconnect(time.Second, time.Second), all},
		{"WithoutReconnect", WithoutReconnect(), all},
		{"WithConnectTimeout", WithConnectTimeout(time.Second), all},
		{"WithHandshakeTimeout", WithHandshakeTimeout(time.Second), all},
		{"WithHeartbeat", WithHeartbeat(0, 0, 0), all},
		{"WithSlowPeer", WithSlowPeer(0, 0), all},
		{"WithLimits", WithLimits(Limits{}), all},
		{"WithLinger", WithLinger(0), all},
		{"WithLogger", WithLogger(slog.Default()), all},
		{"WithTransport", WithTransport(transport.NewTCP()), all},
		{"WithOverflow", WithOverflow(Reject), senders},
		{"WithImmediate", WithImmediate(), queues},
		{"WithMaxAttempts", WithMaxAttempts(1), queues},
		{"WithLeastOutstanding", WithLeastOutstanding(), "PUSH DEALER"},
		{"WithLatest", WithLatest(), "PULL SUB DEALER PAIR"},
		{"WithNotices", WithNotices(), "DEALER ROUTER XSUB"},
		{"WithReceived", WithReceived(), "PULL SUB DEALER ROUTER PAIR XSUB"},
		{"WithProbe", WithProbe(), "REQ DEALER ROUTER"},
		{"WithSubscription", WithSubscription("a"), "SUB XSUB"},
		{"WithRetry", WithRetry(1), "REQ"},
		{"WithCorrelate", WithCorrelate(false), "REQ"},
		{"WithRelaxed", WithRelaxed(), "REQ"},
		{"WithRelaxedReplies", WithRelaxedReplies(), "REP"},
		{"WithDropUnroutable", WithDropUnroutable(), "ROUTER"},
		{"WithHandover", WithHandover(), "ROUTER"},
		{"WithVerbosity", WithVerbosity(EveryChange), "XPUB"},
		{"WithManual", WithManual(), "XPUB"},
		{"WithWelcome", WithWelcome(Msg{}), "PUB XPUB"},
		{"WithMatcher", WithMatcher(nil), "PUB XPUB"},
		{"WithLastValue", WithLastValue(1), "PUB XPUB"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := accepts(c.opt); got != c.want {
				t.Errorf("it goes to %s, want %s", got, c.want)
			}
		})
	}
}

// TestNilOptions: nil is no option, wherever it stands.
func TestNilOptions(t *testing.T) {
	var none Option
	c := configure(defaults(), []Option{nil, WithSendHWM(3), none, WithSendHWM(2), nil})
	if c.sendMark.messages != 2 {
		t.Errorf("the high-water mark is %d, want that of the last option that is not nil", c.sendMark.messages)
	}
}
