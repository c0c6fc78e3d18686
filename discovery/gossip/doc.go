// Package gossip finds peers where multicast does not reach: across routers, in clouds, between the pods and hosts of
// a cluster. Each process is a member of a group that keeps itself: hashicorp/memberlist (SWIM) spreads who is there
// over UDP and TCP, and notices within seconds who is not there any more. There is no server; a new process needs the
// address of one that is there, its seed.
//
//	b, err := gossip.New(gossip.WithKey(key), gossip.WithSeeds("10.1.0.7:7946", "gossip.example:7946"))
//
// Seeds may be names, and all processes may have the same list, their own address in it or not. [WithSeedsFrom] takes
// them from another backend: with mdns, processes on one segment find each other without a seed, and one seed beyond
// the router joins the segments.
//
// # Who may join
//
// Whoever has the key: packets and streams are encrypted and authenticated with AES-GCM, and New fails without a key
// unless [WithoutEncryption] says that this is meant. The key admits to the group, it does not tell members apart:
// each can speak for all, and say that another is gone. Use [WithTrust] with [discovery.Signed] where members are not
// to trust each other. The group's name is bound to what is sent (hashed, as memberlist's label), so that groups that
// share a key and meet, when an address is used again for example, do not merge.
//
// To change the key, restart the members one after the other, three times over: with the new key as a second one,
// then with the two changed over, then without the old one. See [WithKey].
//
// # What is sent
//
// Each member's record travels with its membership while it fits into 512 bytes, which is three or four services.
// Beyond that only its digest does, and each member asks for the record itself. Where a record came from, From, is
// the address that the member advertises, at which it answers probes.
//
// A member that closes its Announcement says goodbye and has [discovery.Left]; one that does not answer has
// [discovery.Expired], 5 to 7 s after it was killed with [LAN]. Members that were lost are tried again from time to
// time, as are the seeds, so that the parts of a group that a broken network had split find together again.
//
// A member that is bound to every address and has not been told which to advertise follows the host's: when its own
// is gone or it had none, it joins anew at another within seconds, and others are told of the new address as an
// update. Streams that others open are bounded, 64 in all and 16 of one address or one /64 of IPv6: of those that
// have proven nothing the oldest gives way to a new one.
//
// Whoever watches or announces is a member, also without a record. The backend tells of its own record too.
package gossip
