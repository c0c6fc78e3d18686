// Calls two methods of an rpc.Service, one of which is not there: caller.js ENDPOINT

const { decode, encode } = require("@msgpack/msgpack");
const zmq = require("zeromq");

(async () => {
  const req = new zmq.Request();
  req.connect(process.argv[2]);
  for (const method of ["add", "sub"]) {
    await req.send([encode({ m: method, d: 20000 }), encode({ A: 1, B: 2 })]);
    const [head, body] = await req.receive();
    console.log(decode(head).e || decode(body).Sum);
  }
})();
