"""Is in the group "g" with a group.Member, and shouts there whatever it is whispered, in capitals: member.py ENDPOINT"""

import os
import sys

import msgpack
import zmq

dealer = zmq.Context().socket(zmq.DEALER)
dealer.connect(sys.argv[1])
dealer.send_multipart([b"", msgpack.packb({"k": 11, "m": "foreign", "p": os.urandom(16)})])  # hello
dealer.send_multipart([b"", msgpack.packb({"k": 13, "m": "g"})])  # join
while True:
    _, head, *body = dealer.recv_multipart()
    head = msgpack.unpackb(head)
    if head.get("k", 0) == 11:
        print("hello", head["m"], flush=True)
    elif head.get("k", 0) == 0 and "m" not in head:  # a shout has the group there
        dealer.send_multipart([b"", msgpack.packb({"m": "g"}), msgpack.packb(msgpack.unpackb(body[0]).upper())])
