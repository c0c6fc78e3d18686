// Package polyglot has peers of the patterns in Python (pyzmq, msgpack) and in JavaScript (zeromq and @msgpack/msgpack
// from npm), written from patterns/WIRE.md, without a line of Yodel. Its tests run each against the Go side.
//
//	python3 examples/polyglot/service.py tcp://127.0.0.1:7001
//	node examples/polyglot/caller.js tcp://127.0.0.1:7001
package polyglot
