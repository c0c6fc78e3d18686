// Package static finds the peers that somebody wrote down: in a list ([New]), or in a file that is watched ([File]).
// It is the backend that works everywhere, and never announces.
//
// Each endpoint is a node of its own; an endpoint with several services is one node. Its ID is derived from the
// endpoint and the group, so that it is the same in each process and after each change. Records never expire; a node
// whose entry is taken out of the file has [discovery.Left]. Records are Configured: what the user wrote down may be
// dialled wherever it is, by host name too.
//
// # The file
//
// One entry a line: the service, its endpoints, and what else there is to know. Empty lines and what follows a "#"
// that begins a word are for people.
//
//	# service   endpoints                                    more
//	orders      tcp://10.1.0.7:5555 tcp://db1.example:5555   type=PUB
//	prices      ipc:///run/prices                            group=prod name=ticker
//	audit       tcp://[fd00::7]:6000                         key=rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7
//
// The file is read again when it changes, however it is written: in place or by renaming another over it. What it
// says counts once it has stayed the same for a moment, so that a half-written file is not taken for the whole. A
// file with a bad line changes nothing: a [discovery.Trouble] names file and line, and what was read before stays. So
// it does when the file is gone.
package static
