// Package dns finds the peers that a DNS zone lists, such as the pods behind a headless Service of Kubernetes. It
// never announces: whoever runs the zone does.
//
//	b, err := dns.New("yodel.shop.svc.cluster.local.", dns.WithSRV("orders", ""), dns.WithPort("prices", 6000))
//
// finds at each pod the port named "orders", as SRV records of _orders._tcp.yodel.shop.svc.cluster.local list them,
// and port 6000 at each of the name's addresses. A zone says nothing but where: there are no types, keys and
// metadata.
//
// # Nodes
//
// Each SRV record is a node, identified by target and port; its endpoints are all the addresses of the target. A pod
// of a StatefulSet keeps its name, and with it its ID, when it comes back at another address. Of plain addresses each
// is a node. Priorities and weights mean nothing to a socket that connects to all, and are ignored. Records are
// marked Configured: the user named the zone, so what it lists may be dialled on whatever network it is. Who can change
// the answers can redirect peers; only the handshake of the connection proves who they are.
//
// # Following changes
//
// DNS tells nobody of changes, so the names are looked up again every few seconds, and a change is seen that long
// after the resolver's cache has it (in Kubernetes 5 to 30 s). What is no longer listed has [discovery.Expired]: a
// connection to it lives as long as it works. While a name server fails to answer, all stays as it was, and one
// [discovery.Trouble] tells of it. That a name does not exist any more, or lists nobody, counts only when it is still
// so on a second look: a server that has just started says so too.
//
// For a Kubernetes Service set clusterIP: None, name its ports, and set publishNotReadyAddresses: true if peers are
// to meet before they are ready. A name with a dot at its end is looked up as it is; others go through the search
// list first.
package dns
