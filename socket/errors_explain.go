package socket

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"github.com/yodel-mq/yodel/transport"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// Explain puts the cause of a failure to connect, to shake hands or to stay connected in few words: "connection
// refused", "a PULL socket; a SUB needs PUB or XPUB", "it does not speak ZMTP". It leaves out what is said beside it,
// such as the endpoint, and what differs from attempt to attempt, such as the number of a port of ours, so that two
// failures of the same cause read the same. It is for the Err of an [Event] and the LastErr of an [EndpointStats]; of
// any other error it is the text, and "" of nil.
func Explain(err error) string {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*zmtp.SocketTypeError](err); ok {
		return explainType(e)
	}
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return explainLookup(e)
	}
	switch {
	case errors.Is(err, zmtp.ErrNotZMTP):
		return "it does not speak ZMTP"
	case err == io.EOF: //nolint:errorlint // a bare one is how a PeerDown says it
		return "the peer closed the connection"
	}
	text := err.Error()
	if e, ok := errors.AsType[*transport.OpError](err); ok {
		text = strings.Replace(text, "transport: "+e.Op+" "+e.Endpoint+": ", "", 1)
	}
	if e, ok := errors.AsType[*net.OpError](err); ok { // it names both ends, ours with a port of its own each time
		text = strings.Replace(text, e.Error(), e.Err.Error(), 1)
	}
	if e, ok := errors.AsType[*os.SyscallError](err); ok {
		text = strings.Replace(text, e.Error(), e.Err.Error(), 1)
	}
	for _, end := range []error{io.ErrUnexpectedEOF, io.EOF} { // said in words before
		text = strings.TrimSuffix(text, ": "+end.Error())
	}
	text = strings.TrimPrefix(text, "zmtp: ")
	text = strings.TrimPrefix(text, "handshake: ")
	return strings.TrimPrefix(text, zmtp.ErrTooLarge.Error()+": ")
}

func explainType(e *zmtp.SocketTypeError) string {
	var needs []string
	for _, t := range e.Partners() {
		needs = append(needs, string(t))
	}
	last := len(needs) - 1
	or := needs[last]
	if last > 0 {
		or = strings.Join(needs[:last], ", ") + " or " + or
	}
	need := fmt.Sprintf("a %s needs %s", e.Ours, or)
	switch {
	case e.Peer == "":
		return "a socket that does not tell its type; " + need
	case !e.Peer.Valid():
		return fmt.Sprintf("a socket of the unknown type %.64q; %s", string(e.Peer), need)
	}
	return fmt.Sprintf("a %s socket; %s", e.Peer, need)
}

func explainLookup(e *net.DNSError) string {
	switch {
	case e.IsNotFound:
		return fmt.Sprintf("no such host: %s", e.Name)
	case e.IsTimeout:
		return fmt.Sprintf("the name %s was looked up in vain: timed out", e.Name)
	}
	return fmt.Sprintf("the name %s was looked up in vain: %s", e.Name, e.Err)
}
