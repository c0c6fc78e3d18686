// Publishes a quote every 20 ms, for pubsub.Subscriber or any SUB socket: publisher.js ENDPOINT

const { encode } = require("@msgpack/msgpack");
const zmq = require("zeromq");

(async () => {
  const pub = new zmq.Publisher();
  await pub.bind(process.argv[2]);
  console.log(pub.lastEndpoint);
  for (let n = 1; ; n++) {
    await pub.send(["quotes.eu.sap", encode({ n }), encode({ Price: 101.5 })]);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
})();
