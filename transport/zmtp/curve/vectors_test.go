package curve

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"testing"
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// The test of "Cryptography in NaCl" (tests/box.c and its relatives in NaCl and libsodium): keys of RFC 7748 6.1, what
// they share, and a box.
var (
	aliceSecret = unhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")
	alicePublic = unhex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")
	bobSecret   = unhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb")
	bobPublic   = unhex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f")
	firstKey    = unhex("1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389")
	boxNonce    = unhex("69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37")
	boxMessage  = unhex("be075fc53c81f2d5cf141316ebeb0c7b5228c52a4c62cbd44b66849b64244ffc" +
		"e5ecbaaf33bd751a1ac728d45e6c61296cdc3c01233561f41db66cce314adb31" +
		"0e3be8250c46f06dceea3a7fa1348057e2f6556ad6b1318a024a838f21af1fde" +
		"048977eb48f59ffd4924ca1c60902e52f0a089bc76897040e082f93776384864" +
		"5e0705")
	boxText = unhex("f3ffc7703f9400e52a7dfb4b3d3305d98e993b9f48681273c29650ba32fc76ce" +
		"48332ea7164d96a4476fb8c531a1186ac0dfc17c98dce87b4da7f011ec48c972" +
		"71d2c20f9b928fe2270d6fb863d51738b48eeee314a7cc8ab932164548e526ae" +
		"90224368517acfeabd6bb3732bc0e9da99832b61ca01b6de56244a9e88d5f9b3" +
		"7973f622a43d14a6599b1f654cb45a74e355a5")
)

// TestNaClVectors: keys, boxes and messages are NaCl's.
func TestNaClVectors(t *testing.T) {
	alice, bob := SecretKey(aliceSecret), SecretKey(bobSecret)
	if alice.Public() != PublicKey(alicePublic) || bob.Public() != PublicKey(bobPublic) {
		t.Errorf("public keys %x and %x", alice.Public(), bob.Public())
	}
	shared, err := agree(&alice, bobPublic)
	if err != nil || !bytes.Equal(shared[:], firstKey) {
		t.Fatalf("shared %x, %v", shared, err)
	}
	if again, err := agree(&bob, alicePublic); err != nil || *again != *shared {
		t.Errorf("shared the other way %x, %v", again, err)
	}
	n := nonce(boxNonce)
	if got := shared.seal([]byte("ahead"), boxMessage, &n); !bytes.Equal(got, append([]byte("ahead"), boxText...)) {
		t.Errorf("sealed %x", got)
	}
	if got, ok := shared.open(boxText, &n); !ok || !bytes.Equal(got, boxMessage) {
		t.Errorf("opened %x", got)
	}

	// The same as a MESSAGE: the first byte are the flags.
	d := newDirection(new([KeySize]byte), shared, string(n[:16]))
	d.last = binary.BigEndian.Uint64(n[16:]) - 1
	before := d
	out := make([]byte, overhead+len(boxMessage)-1)
	d.seal(out, boxMessage[0], boxMessage[1:])
	if head := append([]byte("\x07MESSAGE"), n[16:]...); !bytes.Equal(out, append(head, boxText...)) {
		t.Errorf("a message is %x", out)
	}
	flags, plain, err := before.open(out)
	if err != nil || flags != boxMessage[0] || !bytes.Equal(plain, boxMessage[1:]) {
		t.Errorf("a message opens as %d %x, %v", flags, plain, err)
	}
}

// TestSmallOrder: with a point of small order as the other's key, where NaCl would go on with a secret that everybody
// knows, there is none (RFC 7748, 6.1; the points are those of https://cr.yp.to/ecdh.html, as far as they have no bit
// that is ignored).
func TestSmallOrder(t *testing.T) {
	for _, point := range []string{
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
		"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"0100000000000000000000000000000000000000000000000000000000000080", // with that bit
	} {
		if k, err := agree(serverKey, unhex(point)); err == nil {
			t.Errorf("%s: shared %x", point, k)
		}
	}
}

// TestZ85Vectors: the text of RFC 32, and the keys of libzmq's manual (zmq_curve.adoc).
func TestZ85Vectors(t *testing.T) {
	for _, tt := range []struct{ hex, text string }{
		{"864fd26fb559f75b", "HelloWorld"},
		{"00000000", "00000"},
		{"ffffffff", "%nSc0"},
		{"bb88471d65e2659b30c55a5321cebb5aab2b70a398645c26dca2b2fcb43fc518", "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"},
		{"7bb864b489afa3671fbe69101f94b38972f24816dfb01b51656b3fec8dfd0888", "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs"},
		{"54fcba24e93249969316fb617c872bb0c1d1ff14800427c594cbfacf1bc2d652", "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"},
		{"8e0bdd697628b91d8f245587ee95c5b04d48963f79259877b49cd9063aead3b7", "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6"},
	} {
		b := unhex(tt.hex)
		if got := string(encodeZ85(b)); got != tt.text {
			t.Errorf("%s is %q; want %q", tt.hex, got, tt.text)
		}
		got := make([]byte, len(b))
		if err := decodeZ85(got, tt.text); err != nil || !bytes.Equal(got, b) {
			t.Errorf("%q is %x, %v; want %s", tt.text, got, err, tt.hex)
		}
	}
	for _, secret := range [][2]string{
		{"D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs", "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"},
		{"JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6", "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"},
	} {
		k, err := ParseSecretKey(secret[0])
		if err != nil || k.Public().String() != secret[1] {
			t.Errorf("%s belongs to %v, %v; want %s", secret[0], k.Public(), err, secret[1])
		}
	}
}

// TestZ85Refuses: what is no Z85, as libzmq's test_base85.cpp has it.
func TestZ85Refuses(t *testing.T) {
	for _, tt := range []struct {
		text string
		size int
		err  error
	}{
		{"01234567", 8, errZ85Length},
		{"0", 4, errZ85Length},
		{"", 4, errZ85Length},
		{"HelloWorld", 4, errZ85Length},
		{"#####", 4, errZ85Range},
		{"%nSc1", 4, errZ85Range},
		{"####\"", 4, errZ85Digit},
		{"####\x1f", 4, errZ85Digit},
		{"####\x7f", 4, errZ85Digit},
		{"####\xff", 4, errZ85Digit},
		{"####\x00", 4, errZ85Digit},
		{" 0000", 4, errZ85Digit},
		{"0000~", 4, errZ85Digit},
	} {
		if err := decodeZ85(make([]byte, tt.size), tt.text); err != tt.err {
			t.Errorf("%q: %v; want %v", tt.text, err, tt.err)
		}
	}
}
