package curve

import "github.com/yodel-mq/yodel/transport/zmtp"

// ERROR, from the server in place of READY, is in no box: 4 bytes behind the name, 10 in all.
//
//	0  1   length of the reason, 3
//	1  3   "400" for a key that may not come in, "500" for an authenticator that failed (RFC 27)
//
// A client that gets one ends the handshake with a [*zmtp.RefusedError]. It proves nothing: whoever is in between can
// send it. Everything else that is wrong with a handshake is answered by closing the connection.

// refuse is the answer to a client whose key may not come in.
func refuse(err error) zmtp.Command { return zmtp.Refusal(err) }
