package discovery_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/yodel-mq/yodel/discovery"
)

func ExampleNewID() {
	a, b := discovery.NewID(), discovery.NewID()
	fmt.Println(len(a.String()), a == b)
	// Output: 26 false
}

func ExampleKeyID() {
	public := ed25519.NewKeyFromSeed(make([]byte, 32)).Public().(ed25519.PublicKey)
	fmt.Println(discovery.KeyID(public))
	// Output: copdsqhgjnkjc4rardm2bv2bmi
}

func ExampleParseID() {
	id, err := discovery.ParseID("copdsqhgjnkjc4rardm2bv2bmi")
	fmt.Println(id, err)
	_, err = discovery.ParseID("nobody")
	fmt.Println(errors.Is(err, discovery.ErrRecord))
	// Output:
	// copdsqhgjnkjc4rardm2bv2bmi <nil>
	// true
}

func ExampleRecord_TXT() {
	r := discovery.Record{
		ID:       discovery.ID{15: 1},
		Addrs:    []netip.Addr{netip.MustParseAddr("192.168.1.20")},
		Services: []discovery.Service{{Name: "orders", Type: "PUB", Endpoints: []string{"tcp://*:5555"}}},
	}
	txt, err := r.TXT()
	fmt.Println(strings.Join(txt, " "), err)
	// Output: txtvers=1 id=aaaaaaaaaaaaaaaaaaaaaaaaae i=0 r=0 g=default h=192.168.1.20 s0=orders,PUB,t5555 <nil>
}

func ExampleParseTXT() {
	r, err := discovery.ParseTXT([]string{"txtvers=1", "id=aaaaaaaaaaaaaaaaaaaaaaaaae", "s0=orders,PUB,t5555,i@orders"})
	fmt.Println(r.Services, err)
	// Output: [{orders PUB [tcp://*:5555 ipc://@orders]}] <nil>
}

func ExampleOpen() {
	trust := discovery.Open()
	stranger := discovery.Record{ID: discovery.NewID()}
	fmt.Println(trust.Verify(&stranger))
	// Output: <nil>
}

func ExampleGroupKey() {
	key := []byte("32 random bytes, the same for all") // of crypto/rand, from a file
	trust, err := discovery.GroupKey(key[:32])
	if err != nil {
		fmt.Println(err)
		return
	}
	r := discovery.Record{ID: discovery.NewID(), Group: "prod"}
	if err := trust.Seal(&r); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("shown as", r.Group)
	fmt.Println("as sealed:", trust.Verify(&r))
	r.Key = "Z85 of a stranger's public key, 40 bytes"
	fmt.Println("changed:", errors.Is(trust.Verify(&r), discovery.ErrUntrusted))
	// Output:
	// shown as ~gnfdufbbybsrcbxmb6jooxxwjy
	// as sealed: <nil>
	// changed: true
}

func ExampleSigned() {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	mine, _ := discovery.Signed(private)
	everybody, _ := discovery.Signed(nil)
	r := discovery.Record{ID: discovery.KeyID(public)}
	fmt.Println(mine.Seal(&r), everybody.Verify(&r))
	r.ID = discovery.NewID() // to speak for another node
	fmt.Println(errors.Is(mine.Seal(&r), discovery.ErrUntrusted))
	// Output:
	// <nil> <nil>
	// true
}

func ExampleNewTable() {
	table := discovery.NewTable("example", discovery.TableConfig{})
	defer table.Close()
	events, err := table.Watch(context.Background(), discovery.Query{Service: "orders"})
	if err != nil {
		fmt.Println(err)
		return
	}
	r := discovery.Record{
		ID:       discovery.NewID(),
		Services: []discovery.Service{{Name: "orders", Endpoints: []string{"tcp://*:5555"}}},
		From:     []netip.Addr{netip.MustParseAddr("192.168.1.20")},
	}
	fmt.Println(table.Put(r, 15*time.Second))
	fmt.Println((<-events).Kind)
	fmt.Println(table.Leave(r))
	fmt.Println((<-events).Kind)
	// Output:
	// <nil>
	// added
	// <nil>
	// left
}

// A board is a backend for one process.
type board struct {
	name  string
	table *discovery.Table
}

func (b board) Name() string { return b.name }

func (b board) Watch(ctx context.Context, q discovery.Query) (<-chan discovery.Event, error) {
	return b.table.Watch(ctx, q)
}

func (b board) Announce(context.Context, discovery.Record) (discovery.Announcement, error) {
	return nil, discovery.ErrReadOnly
}

func ExampleMerge() {
	lan := board{"lan", discovery.NewTable("lan", discovery.TableConfig{})}
	wan := board{"wan", discovery.NewTable("wan", discovery.TableConfig{})}
	both := discovery.Merge(lan, wan)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	events, err := both.Watch(ctx, discovery.Query{})
	if err != nil {
		fmt.Println(err)
		return
	}
	r := discovery.Record{ID: discovery.NewID()}
	_ = wan.table.Put(r, discovery.Forever)
	ev := <-events
	fmt.Println(both.Name(), "says:", ev.Kind, "by", ev.Source)
	cancel()
	for range events { // until it is closed
	}
	// Output: lan+wan says: added by wan
}
