"""A service with one method, add, for rpc.Client or any REQ socket: service.py ENDPOINT"""

import sys

import msgpack
import zmq

rep = zmq.Context().socket(zmq.REP)
rep.bind(sys.argv[1])
print(rep.getsockopt_string(zmq.LAST_ENDPOINT), flush=True)
while True:
    head, body = rep.recv_multipart()
    method = msgpack.unpackb(head)["m"]
    if method == "add":
        args = msgpack.unpackb(body)
        rep.send_multipart([msgpack.packb({}), msgpack.packb({"Sum": args["A"] + args["B"]})])
    else:
        rep.send_multipart([msgpack.packb({"e": "unimplemented", "t": "no method " + method})])
