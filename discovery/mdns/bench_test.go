package mdns

import "testing"

// What a packet costs: one of ours, and one about something else, of which there are many more.
func BenchmarkHandle(b *testing.B) {
	foreign := announced(b, nil)
	for i := range foreign {
		if foreign[i] == '_' {
			foreign[i] = '-'
		}
	}
	for name, packet := range map[string][]byte{"ours": announced(b, nil), "foreign": foreign} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r, _ := receiving()
				r.handle(packet, neighbour, 2, 255)
			}
		})
	}
}
