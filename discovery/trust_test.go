package discovery_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/discovery"
)

// keyPair returns a key made from a number.
func keyPair(n byte) (ed25519.PublicKey, ed25519.PrivateKey) {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
	return key.Public().(ed25519.PublicKey), key
}

func signedTrust(t testing.TB, n byte, trusted ...ed25519.PublicKey) discovery.Trust {
	t.Helper()
	_, key := keyPair(n)
	trust, err := discovery.Signed(key, trusted...)
	if err != nil {
		t.Fatal(err)
	}
	return trust
}

// proving returns the kinds of Trust that have proofs, each with a record that it is good for.
func proving(t testing.TB) map[string]proven {
	public, _ := keyPair(1)
	own, fleet := full.Clone(), full.Clone()
	own.ID = discovery.KeyID(public)
	return map[string]proven{
		"group-key":      {groupTrust(t, 1), full.Clone()},
		"signed":         {signedTrust(t, 1), own},
		"signed, a list": {signedTrust(t, 1, public), fleet},
	}
}

type proven struct {
	trust discovery.Trust
	r     discovery.Record
}

func TestTrustHolds(t *testing.T) {
	t.Parallel()
	for name, c := range proving(t) {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				c.r.Proof = nil
				if err := c.trust.Verify(&c.r); !errors.Is(err, discovery.ErrUntrusted) {
					t.Errorf("without a proof: %v", err)
				}
				r := sealed(t, c.trust, c.r)
				if !r.Issued.Equal(time.Now()) {
					t.Errorf("issued at %v, want now", r.Issued)
				}
				if err := c.trust.Verify(&r); err != nil {
					t.Errorf("as sealed: %v", err)
				}
				txt, err := r.TXT()
				if err != nil {
					t.Fatal(err)
				}
				got, err := discovery.ParseTXT(txt)
				if err != nil {
					t.Fatal(err)
				}
				if err := c.trust.Verify(&got); err != nil {
					t.Errorf("as received: %v", err)
				}
				again := sealed(t, c.trust, r)
				if !reflect.DeepEqual(again, r) {
					t.Errorf("sealed again: %+v, want the same", again)
				}
				got.Group = full.Group // as watchers see it
				if err := c.trust.Verify(&got); err != nil {
					t.Errorf("with the group's name: %v", err)
				}
				unfit := c.r.Clone()
				unfit.Name = "\x00"
				refused(t, c.trust.Seal(&unfit), discovery.ErrRecord)
				unfit.Proof = r.Proof
				unfit.Issued = r.Issued
				refused(t, c.trust.Verify(&unfit), discovery.ErrUntrusted)
			})
		})
	}
}

func TestTrustIssued(t *testing.T) {
	t.Parallel()
	for name, c := range proving(t) {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := sealed(t, c.trust, c.r)
				time.Sleep(5 * time.Minute)
				if err := c.trust.Verify(&r); err != nil {
					t.Errorf("after five minutes: %v", err)
				}
				time.Sleep(time.Millisecond)
				refused(t, c.trust.Verify(&r), discovery.ErrUntrusted)
			})
			// The clock of a bubble starts in the year 2000, long before that outside.
			r := sealed(t, c.trust, c.r)
			bubble(t, func(t *testing.T) { refused(t, c.trust.Verify(&r), discovery.ErrUntrusted) })
		})
	}
}

// notProven are the fields that who receives a record fills in, and the proof, which has tests of its own.
var notProven = []string{"From", "Configured", "Proof", "proven"}

// Every field of a record, as far down as they go and those that nobody has thought of yet, breaks the proof when it
// changes.
func TestTrustTampering(t *testing.T) {
	t.Parallel()
	for name, c := range proving(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			good := sealed(t, c.trust, c.r)
			if err := c.trust.Verify(&good); err != nil {
				t.Fatal(err)
			}
			changes := 0
			for i := range reflect.TypeFor[discovery.Record]().NumField() {
				field := reflect.TypeFor[discovery.Record]().Field(i)
				if slices.Contains(notProven, field.Name) {
					continue
				}
				n := leaves(reflect.ValueOf(&good).Elem().Field(i))
				if n == 0 {
					t.Errorf("%s is empty in the sample: give it a value", field.Name)
				}
				for leaf := range n {
					changes++
					bad := good.Clone()
					tamper(t, reflect.ValueOf(&bad).Elem().Field(i), leaf)
					if reflect.DeepEqual(bad, good) {
						t.Fatalf("%s: change %d changes nothing", field.Name, leaf)
					}
					if _, err := bad.TXT(); err != nil {
						t.Fatalf("%s: change %d makes no record that could be sent: %v", field.Name, leaf, err)
					}
					refusedAs(t, field.Name, c.trust.Verify(&bad))
				}
				emptied := good.Clone()
				reflect.ValueOf(&emptied).Elem().Field(i).SetZero()
				refusedAs(t, field.Name+" emptied", c.trust.Verify(&emptied))
			}
			if changes < 30 {
				t.Errorf("only %d changes: the walk does not go deep", changes)
			}
			for i := range good.Proof {
				bad := good.Clone()
				bad.Proof[i] ^= 0x10
				refusedAs(t, "Proof", c.trust.Verify(&bad))
			}
			for _, proof := range [][]byte{good.Proof[:len(good.Proof)-1], append(slices.Clone(good.Proof), 0)} {
				bad := good.Clone()
				bad.Proof = proof
				refusedAs(t, "Proof of another length", c.trust.Verify(&bad))
			}
		})
	}
}

func refusedAs(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, discovery.ErrUntrusted) {
		t.Errorf("%s: error is %v, want ErrUntrusted", what, err)
	}
}

// leaves counts what tamper can change below v.
func leaves(v reflect.Value) (n int) {
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		return 1
	case v.Kind() == reflect.Struct && v.NumField() > 0 && v.Type().Field(0).IsExported():
		for _, field := range v.Fields() {
			n += leaves(field)
		}
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			n += leaves(v.Index(i))
		}
		if v.Len() > 0 {
			n++ // one less
		}
	case v.Kind() == reflect.Map:
		n = 2 * v.Len() // another value, and without
	case v.Kind() == reflect.String:
		n = min(v.Len(), 1)
	default:
		n = 1
	}
	return n
}

// tamper changes the leaf of that number into something that could be sent too.
func tamper(t *testing.T, v reflect.Value, leaf int) {
	t.Helper()
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(v.Interface().(time.Time).Add(time.Millisecond)))
	case v.Kind() == reflect.Struct && v.NumField() > 0 && v.Type().Field(0).IsExported():
		for _, field := range v.Fields() {
			if n := leaves(field); leaf >= n {
				leaf -= n
			} else {
				tamper(t, field, leaf)
				return
			}
		}
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			if n := leaves(v.Index(i)); leaf >= n {
				leaf -= n
			} else {
				tamper(t, v.Index(i), leaf)
				return
			}
		}
		v.Set(v.Slice(0, v.Len()-1))
	case v.Kind() == reflect.Map:
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		value := reflect.New(v.Type().Elem()).Elem()
		if leaf%2 == 0 {
			value.Set(reflect.ValueOf(v.MapIndex(keys[leaf/2]).String() + "b"))
			v.SetMapIndex(keys[leaf/2], value)
		} else {
			v.SetMapIndex(keys[leaf/2], reflect.Value{})
		}
	case v.Kind() == reflect.String:
		v.SetString(v.String()[:v.Len()-1] + other(v.String()[v.Len()-1]))
	case v.Kind() == reflect.Bool:
		v.SetBool(!v.Bool())
	case v.CanUint():
		v.SetUint(v.Uint() + 1)
	case v.Type() == reflect.TypeFor[time.Duration]():
		v.SetInt(v.Int() + int64(time.Second))
	case v.Type() == reflect.TypeFor[discovery.ID]():
		id := v.Interface().(discovery.ID)
		id[15] ^= 1
		v.Set(reflect.ValueOf(id))
	default:
		next := v.MethodByName("Next") // netip.Addr
		if !next.IsValid() {
			t.Fatalf("teach this test to change a %v", v.Type())
		}
		v.Set(next.Call(nil)[0])
	}
}

// other returns another character of the same kind.
func other(c byte) string {
	for _, kind := range []string{"23456", "abcdef", "ABCDEF"} {
		if c >= '0' && c <= '9' && kind[0] != '2' || c >= 'a' && c <= 'z' && kind[0] != 'a' || c >= 'A' && c <= 'Z' &&
			kind[0] != 'A' {
			continue
		}
		if kind[0] != c {
			return kind[:1]
		}
		return kind[1:2]
	}
	return "a"
}

// One changed byte on the wire either breaks the proof or does not change what is understood.
func TestTrustTamperingOnTheWire(t *testing.T) {
	t.Parallel()
	for name, c := range proving(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			good := sealed(t, c.trust, c.r)
			txt, err := good.TXT()
			if err != nil {
				t.Fatal(err)
			}
			parsed, broken := 0, 0
			for i, s := range txt {
				for j := range len(s) {
					for _, b := range []byte{s[j] ^ 1, s[j] ^ 0x20, '1', 'b'} {
						bad := slices.Clone(txt)
						bad[i] = s[:j] + string(rune(b)) + s[j+1:]
						r, err := discovery.ParseTXT(bad)
						if err != nil {
							continue
						}
						parsed++
						if c.trust.Verify(&r) != nil {
							broken++
						} else if !reflect.DeepEqual(r, good) {
							t.Errorf("%q passes for %q", bad[i], s)
						}
					}
				}
			}
			if parsed < 500 || broken < 400 {
				t.Errorf("%d changes could be understood and %d broke the proof: too few to say anything", parsed, broken)
			}
		})
	}
}

func TestGroupKeys(t *testing.T) {
	t.Parallel()
	ours, theirs := groupTrust(t, 1), groupTrust(t, 2)
	r := sealed(t, ours, sample(1))
	refused(t, theirs.Verify(&r), discovery.ErrUntrusted)
	tags := map[string]bool{}
	for _, tag := range []string{
		ours.Tag(""), ours.Tag("prod"), ours.Tag("production"), theirs.Tag(""), theirs.Tag("prod"),
	} {
		if tags[tag] || len(tag) != 27 || tag[0] != '~' || strings.Contains(tag, "prod") {
			t.Errorf("bad tag %q", tag)
		}
		tags[tag] = true
		if ours.Tag(tag) != tag {
			t.Errorf("the tag of %q is %q", tag, ours.Tag(tag))
		}
	}
	if ours.Tag("") != ours.Tag(discovery.DefaultGroup) || r.Group != ours.Tag("") {
		t.Errorf("no group is %q, the default %q, sealed as %q", ours.Tag(""), ours.Tag(discovery.DefaultGroup), r.Group)
	}
	for _, n := range []int{0, 16, 31, 33, 64} {
		if _, err := discovery.GroupKey(make([]byte, n)); err == nil {
			t.Errorf("a key of %d bytes was taken", n)
		}
	}
}

// The proof and the tag as another implementation (HKDF and HMAC of Python's library) makes them of the strings: a
// change here is a change of the protocol.
func TestGroupKeyBytes(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) { // in which it is the first of January 2000
		trust, err := discovery.GroupKey([]byte("32 random bytes, the same for al"))
		if err != nil {
			t.Fatal(err)
		}
		r := sample(1)
		r.Group = "prod"
		r = sealed(t, trust, r)
		got, err := r.TXT()
		if want := []string{
			"txtvers=1", "id=aeaaaaaaaaaaaaaaaaaaaaaaae", "i=rs", "r=1", "g=~gnfdufbbybsrcbxmb6jooxxwjy", "p=zmtp/3.1",
			"h=10.0.0.1",
			"s0=orders,PUB,t5555", "ts=c2wfoqo0", "x=sDkstHSUNlEVG5gJqja54Q",
		}; err != nil || !slices.Equal(got, want) {
			t.Errorf("TXT is %q, %v\nwant %q", got, err, want)
		}
	})
}

func TestSignedKeys(t *testing.T) {
	t.Parallel()
	alice, _ := keyPair(1)
	bob, _ := keyPair(2)
	mine, strange := sample(1), sample(2)
	mine.ID = discovery.KeyID(alice)
	for name, c := range map[string]struct {
		signer, verifier discovery.Trust
		r                discovery.Record
		seal, verify     error
	}{
		"own id":                     {signedTrust(t, 1), signedTrust(t, 2), mine, nil, nil},
		"another's id":               {signedTrust(t, 2), signedTrust(t, 1), mine, discovery.ErrUntrusted, nil},
		"any id, trusted":            {signedTrust(t, 1, alice), signedTrust(t, 2, alice, bob), strange, nil, nil},
		"any id, not trusted":        {signedTrust(t, 1, alice), signedTrust(t, 2), strange, nil, discovery.ErrUntrusted},
		"own id, others are trusted": {signedTrust(t, 1), signedTrust(t, 2, bob), mine, nil, discovery.ErrUntrusted},
		"signed for a group key":     {signedTrust(t, 1), groupTrust(t, 1), mine, nil, discovery.ErrUntrusted},
		"group key for signed":       {groupTrust(t, 1), signedTrust(t, 1), mine, nil, discovery.ErrUntrusted},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := c.r.Clone()
			if err := c.signer.Seal(&r); !errors.Is(err, c.seal) {
				t.Fatalf("Seal: %v, want %v", err, c.seal)
			} else if err != nil {
				return
			}
			if err := c.verifier.Verify(&r); !errors.Is(err, c.verify) {
				t.Errorf("Verify: %v, want %v", err, c.verify)
			}
		})
	}
	watcher, err := discovery.Signed(nil, alice)
	if err != nil {
		t.Fatal(err)
	}
	refused(t, watcher.Seal(&mine), discovery.ErrUntrusted)
	if _, err := discovery.Signed(make([]byte, 32)); err == nil {
		t.Error("a private key of 32 bytes was taken")
	}
	if _, err := discovery.Signed(nil, make([]byte, 31)); err == nil {
		t.Error("a public key of 31 bytes was taken")
	}
}

func TestTrustModes(t *testing.T) {
	t.Parallel()
	for want, trust := range map[string]discovery.Trust{
		"open": discovery.Open(), "group-key": groupTrust(t, 1), "signed": signedTrust(t, 1),
	} {
		if trust.Mode() != want {
			t.Errorf("mode is %q, want %q", trust.Mode(), want)
		}
		if want != "group-key" && (trust.Tag("prod") != "prod" || trust.Tag("") != "default") {
			t.Errorf("%s: tags are %q and %q", want, trust.Tag("prod"), trust.Tag(""))
		}
	}
	r := sample(1)
	if sealed := sealed(t, discovery.Open(), r); !reflect.DeepEqual(sealed, r) {
		t.Errorf("open has changed the record: %+v", sealed)
	}
}
