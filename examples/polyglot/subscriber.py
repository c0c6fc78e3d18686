"""Prints what a pubsub.Publisher says about quotes: subscriber.py ENDPOINT"""

import sys

import msgpack
import zmq

sub = zmq.Context().socket(zmq.SUB)
sub.subscribe("quotes.")  # all that begins so; wildcards are for Yodel's own subscribers
sub.connect(sys.argv[1])
while True:
    subject, head, body = sub.recv_multipart()
    print(subject.decode(), msgpack.unpackb(body)["Price"], flush=True)
