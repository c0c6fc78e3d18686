package curve

import "bytes"

// A script plays a peer: reads give in, then its end; writes are kept.
type script struct{ in, out bytes.Buffer }

func (s *script) Read(b []byte) (int, error)  { return s.in.Read(b) }
func (s *script) Write(b []byte) (int, error) { return s.out.Write(b) }
