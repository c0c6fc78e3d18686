"""Does the jobs of a pipeline.Pusher, which are numbers: the result is twice the number. worker.py ENDPOINT"""

import sys

import msgpack
import zmq

dealer = zmq.Context().socket(zmq.DEALER)
dealer.connect(sys.argv[1])
dealer.send_multipart([b"", msgpack.packb({"k": 3, "w": 1})])  # room for one job; each answer makes room for the next
while True:
    _, head, body = dealer.recv_multipart()
    job, number = msgpack.unpackb(head)["n"], msgpack.unpackb(body)
    if number < 0:
        dealer.send_multipart([b"", msgpack.packb({"k": 8, "n": job, "t": "below zero"})])  # never again
    else:
        dealer.send_multipart([b"", msgpack.packb({"k": 5, "n": job}), msgpack.packb(2 * number)])
