// Is in the group "g" with a group.Member, and shouts there whatever it is whispered, in capitals: member.js ENDPOINT

const { randomBytes } = require("crypto");
const { decode, encode } = require("@msgpack/msgpack");
const zmq = require("zeromq");

(async () => {
  const dealer = new zmq.Dealer();
  dealer.connect(process.argv[2]);
  await dealer.send(["", encode({ k: 11, m: "foreign", p: randomBytes(16) })]); // hello
  await dealer.send(["", encode({ k: 13, m: "g" })]); // join
  for await (const [, head, body] of dealer) {
    const { k = 0, m } = decode(head);
    if (k === 11) {
      console.log("hello", m);
    } else if (k === 0 && m === undefined) { // a shout has the group there
      await dealer.send(["", encode({ m: "g" }), encode(decode(body).toUpperCase())]);
    }
  }
})();
