// Prints what a pubsub.Publisher says about quotes: subscriber.js ENDPOINT

const { decode } = require("@msgpack/msgpack");
const zmq = require("zeromq");

(async () => {
  const sub = new zmq.Subscriber();
  sub.subscribe("quotes."); // all that begins so; wildcards are for Yodel's own subscribers
  sub.connect(process.argv[2]);
  for await (const [subject, head, body] of sub) {
    console.log(subject.toString(), decode(body).Price);
  }
})();
