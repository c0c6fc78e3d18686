// Gives three jobs to a pipeline.Worker, and prints what became of each, in any order: pusher.js ENDPOINT

const { decode, encode } = require("@msgpack/msgpack");
const zmq = require("zeromq");

(async () => {
  const dealer = new zmq.Dealer();
  dealer.connect(process.argv[2]);
  const jobs = new Map([[1, 10], [2, -20], [3, 30]]); // by their numbers, which are the pusher's to choose
  for (const [n, job] of jobs) {
    await dealer.send(["", encode({ n }), encode(job)]);
  }
  while (jobs.size > 0) {
    const [, head, body] = await dealer.receive();
    const { k, n, t } = decode(head);
    if (k === 5) { // done
      console.log(jobs.get(n), decode(body));
      jobs.delete(n);
    } else if (k === 8) { // rejected
      console.log(jobs.get(n), t);
      jobs.delete(n);
    }
  }
})();
