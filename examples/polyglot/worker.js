// Does the jobs of a pipeline.Pusher, which are numbers: the result is twice the number. worker.js ENDPOINT

const { decode, encode } = require("@msgpack/msgpack");
const zmq = require("zeromq");

(async () => {
  const dealer = new zmq.Dealer();
  dealer.connect(process.argv[2]);
  await dealer.send(["", encode({ k: 3, w: 1 })]); // room for one job; each answer makes room for the next
  for await (const [, head, body] of dealer) {
    const n = decode(head).n;
    const number = decode(body);
    if (number < 0) {
      await dealer.send(["", encode({ k: 8, n, t: "below zero" })]); // never again
    } else {
      await dealer.send(["", encode({ k: 5, n }), encode(2 * number)]);
    }
  }
})();
