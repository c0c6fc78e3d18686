// Package auth has ready-made authenticators for [socket.WithAuthenticator]:
//
//	OpenKeys          CURVE clients whose public keys are on a list in a file
//	OpenPasswords     PLAIN clients whose user names and passwords are in a file, which has hashes (argon2id) only
//	OpenCertificates  peers over tls whose keys are on a list in a file, whatever the mechanism
//	UIDs              processes of given users, over ipc and inproc, whatever the mechanism
//	AnyOf             whoever one of several lets in
//
//	keys, err := auth.OpenKeys("clients.keys")
//	…
//	defer keys.Close()
//	pull := socket.NewPull(socket.WithSecurity(curve.Server(key, nil)), socket.WithAuthenticator(keys))
//
// # Files
//
// A file is read again within a second after it has changed ([WithInterval]), or by Reload. Who was removed from it, or
// has another password now, is not let in any more, and its live connections are ended, with [socket.ErrRevoked]. A
// file that cannot be read, or in which one line is wrong, changes nothing: what was read before counts until it is
// right again. Err says so meanwhile, and [WithErrors] tells each time.
//
// A file that others can write to is refused, for they could let themselves in; one with passwords also if others than
// its owner and group can read it. The owner must be the user of this process or root. (Where the system has no such
// permissions it is up to the directory.)
//
// An authenticator may serve any number of sockets at once. One with a file has a goroutine, until Close.
//
// # Where to start reading
//
// keys.go, passwords.go, certificates.go, uids.go and any.go have one authenticator each; list.go what those with files
// have in common: when to read, and whose connections to end; named.go and argon2id.go what stands in them.
package auth
