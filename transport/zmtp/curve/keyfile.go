package curve

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// A key file is a certificate as czmq and pyzmq write it:
//
//	#   anything
//	curve
//	    public-key = "40 characters of Z85"
//	    secret-key = "40 characters of Z85"

const (
	keyFileMode = 0o600
	// maxKeyFile is the most bytes that are looked at in a key file.
	maxKeyFile = 64 << 10
)

// WriteKeyFile writes a key and its public key to a new file that nobody but its owner can read (mode 0600), in the
// form that czmq and pyzmq have for certificates, and sees to it that it is on disk. It does not overwrite a file:
// errors.Is(err, fs.ErrExist) then.
func WriteKeyFile(path string, key *SecretKey) error {
	if key.IsZero() {
		return fmt.Errorf("curve: write %s: %w", path, ErrKey)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, keyFileMode)
	if err != nil {
		return fmt.Errorf("curve: %w", err)
	}
	text := fmt.Appendf(nil, "#   A CURVE key pair of ZeroMQ. Keep this file secret; give the public key to peers.\n"+
		"curve\n    public-key = \"%v\"\n    secret-key = \"%s\"\n", key.Public(), key.Z85())
	defer clear(text)
	_, err = f.Write(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		_ = os.Remove(path) // half a key file is of no use
		return fmt.Errorf("curve: %w", err)
	}
	return nil
}

// ReadKeyFile reads the secret key of a file as WriteKeyFile, czmq and pyzmq write it. A file to which anybody but its
// owner has access is refused with ErrExposed, where the system has permissions of that kind; so is one whose owner is
// neither the user of this process nor root. A file without a secret key, or with a public key that does not
// belong to it, gives ErrKey. No error shows what is in the file.
func ReadKeyFile(path string) (*SecretKey, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("curve: %w", err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat() // of what was opened: the name may come to stand for another file
	if err != nil {
		return nil, fmt.Errorf("curve: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("curve: %s: %w: not a regular file", path, ErrKey)
	}
	if err := exposed(info); err != nil {
		return nil, fmt.Errorf("curve: %s: %w", path, err)
	}
	k, err := parseKeyFile(f)
	if err != nil {
		return nil, fmt.Errorf("curve: %s: %w", path, err)
	}
	return k, nil
}

var errKeyFile = fmt.Errorf("%w: want a secret-key and a public-key that belongs to it, each %d characters in quotes",
	ErrKey, z85KeySize)

// parseKeyFile reads the text of a key file. The public key may be missing.
func parseKeyFile(r io.Reader) (*SecretKey, error) {
	var secret *SecretKey
	var public PublicKey
	buf := make([]byte, maxKeyFile)
	defer clear(buf)
	lines := bufio.NewScanner(io.LimitReader(r, maxKeyFile))
	lines.Buffer(buf, len(buf))
	for lines.Scan() {
		name, value, ok := keyFileLine(lines.Text())
		if !ok {
			continue
		}
		switch name {
		case "secret-key":
			k, err := ParseSecretKey(value)
			if err != nil || secret != nil {
				return nil, errKeyFile
			}
			secret = k
		case "public-key":
			k, err := ParsePublicKey(value)
			if err != nil || !public.IsZero() {
				return nil, errKeyFile
			}
			public = k
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if secret == nil || !public.IsZero() && secret.Public() != public {
		return nil, errKeyFile
	}
	return secret, nil
}

// keyFileLine splits a line of the form name = "value".
func keyFileLine(line string) (name, value string, ok bool) {
	name, value, ok = strings.Cut(line, "=") // a value may have more of them
	value, opened := strings.CutPrefix(strings.TrimSpace(value), `"`)
	value, closed := strings.CutSuffix(value, `"`)
	return strings.TrimSpace(name), value, ok && opened && closed
}
