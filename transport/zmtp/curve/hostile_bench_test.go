package curve

import "testing"

// BenchmarkHostileHandshake is what one connection can make a server compute: by a HELLO, which costs the client
// nothing if it sends the same one again and again, and by an INITIATE of a client that may not come in. A connection
// can have one of each; whatever else it sends ends it.
func BenchmarkHostileHandshake(b *testing.B) {
	for _, name := range []string{"HELLO", "INITIATE"} {
		b.Run(name, func(b *testing.B) {
			server, command := upTo(b, name)
			b.ReportAllocs()
			for b.Loop() {
				server.clone(b).step(b, command)
			}
		})
	}
}
