"""Publishes a quote every 20 ms, for pubsub.Subscriber or any SUB socket: publisher.py ENDPOINT"""

import itertools
import sys
import time

import msgpack
import zmq

pub = zmq.Context().socket(zmq.PUB)
pub.bind(sys.argv[1])
print(pub.getsockopt_string(zmq.LAST_ENDPOINT), flush=True)
for n in itertools.count(1):
    pub.send_multipart([b"quotes.eu.sap", msgpack.packb({"n": n}), msgpack.packb({"Price": 101.5})])
    time.sleep(0.02)
