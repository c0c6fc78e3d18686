// A service with one method, add, for rpc.Client or any REQ socket: service.js ENDPOINT

const { decode, encode } = require("@msgpack/msgpack");
const zmq = require("zeromq");

(async () => {
  const rep = new zmq.Reply();
  await rep.bind(process.argv[2]);
  console.log(rep.lastEndpoint);
  for await (const [head, body] of rep) {
    const method = decode(head).m;
    if (method === "add") {
      const args = decode(body);
      await rep.send([encode({}), encode({ Sum: args.A + args.B })]);
    } else {
      await rep.send([encode({ e: "unimplemented", t: "no method " + method })]);
    }
  }
})();
