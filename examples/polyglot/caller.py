"""Calls two methods of an rpc.Service, one of which is not there: caller.py ENDPOINT"""

import sys

import msgpack
import zmq

req = zmq.Context().socket(zmq.REQ)
req.connect(sys.argv[1])
for method in "add", "sub":
    req.send_multipart([msgpack.packb({"m": method, "d": 20000}), msgpack.packb({"A": 1, "B": 2})])
    head, *body = req.recv_multipart()
    print(msgpack.unpackb(head).get("e") or msgpack.unpackb(body[0])["Sum"], flush=True)
