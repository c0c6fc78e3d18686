// Package pyzmq drives libzmq for tests: a Python process with pyzmq (Debian's python3-zmq) that carries out commands.
//
// [Start] starts a process of a test's own, [Shared] one for all tests that do not kill theirs. [Process.Send] gives a
// command, one JSON object on a line of the script's standard input, and returns what to wait on for its answer. The
// commands are those of peer.py, which is compiled in.
//
// [Run] starts another program with the same commands, for tests against another implementation.
//
// Where pyzmq is missing, tests are skipped, except with CI set in the environment: there they fail.
package pyzmq
