"""Gives three jobs to a pipeline.Worker, and prints what became of each, in any order: pusher.py ENDPOINT"""

import sys

import msgpack
import zmq

dealer = zmq.Context().socket(zmq.DEALER)
dealer.connect(sys.argv[1])
jobs = {1: 10, 2: -20, 3: 30}  # by their numbers, which are the pusher's to choose
for n, job in jobs.items():
    dealer.send_multipart([b"", msgpack.packb({"n": n}), msgpack.packb(job)])
while jobs:
    _, head, *body = dealer.recv_multipart()
    head = msgpack.unpackb(head)
    if head["k"] == 5:  # done
        print(jobs.pop(head["n"]), msgpack.unpackb(body[0]), flush=True)
    elif head["k"] == 8:  # rejected
        print(jobs.pop(head["n"]), head["t"], flush=True)
