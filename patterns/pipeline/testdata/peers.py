"""Workers and pushers of package pipeline that are plain ZeroMQ: pyzmq and msgpack, and no library of ours.

    peers.py ROLE connect|bind ENDPOINT JOBS

A worker doubles numbers: it does JOBS of them, of which it gives back the first once, and prints what it did. A pusher
gives out JOBS numbers and prints the results.
"""
import sys

import zmq
from msgpack import packb, unpackb

role, how, endpoint, jobs = sys.argv[1:4] + [int(sys.argv[4])]
context = zmq.Context()
socket = context.socket(getattr(zmq, role.split("-")[0]))
socket.linger = 20000
socket.rcvtimeo = 50000
socket.setsockopt(zmq.CONNECT_ROUTING_ID, b"peer") if role.startswith("ROUTER") else None
if how == "bind":
    socket.bind(endpoint)
    print(socket.getsockopt_string(zmq.LAST_ENDPOINT).rstrip("\0"), flush=True)
else:
    socket.connect(endpoint)

ACK, NACK, CREDIT, REJECT = 5, 6, 3, 8
first = True


def work(head, body):
    """Returns what is to be said of a job."""
    global first
    head, n = unpackb(head), unpackb(body)
    if first:
        first = False
        return {"k": NACK, "n": head["n"]}, b""
    if n < 0:
        return {"k": REJECT, "n": head["n"], "t": "below zero"}, b""
    return {"k": ACK, "n": head["n"]}, packb(2 * n)


if role == "REP":
    for i in range(jobs):
        head, body = socket.recv_multipart()
        n = unpackb(body)
        if n < 0:
            socket.send_multipart([packb({"k": REJECT, "n": unpackb(head)["n"], "t": "below zero"})])
        elif first:
            first = False
            socket.send_multipart([packb({"e": "unavailable", "r": 1})])
        else:
            socket.send_multipart([b"\x80", packb(2 * n)])
elif role == "REQ":
    socket.send_multipart([packb({"k": CREDIT, "w": 1})])
    for i in range(jobs):
        answer, result = work(*socket.recv_multipart())
        socket.send_multipart([packb(answer), result])
elif role in ("DEALER", "ROUTER"):
    to = [b"peer"] if role == "ROUTER" else []
    if role == "DEALER":
        socket.send_multipart([b"", packb({"k": CREDIT, "w": 1})])
    elif how == "connect":
        socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        while True:  # until the connection is up
            try:
                socket.send_multipart(to + [b"", packb({"k": CREDIT, "w": 1})])
                break
            except zmq.ZMQError:
                pass
    for i in range(jobs):
        *to, _, head, body = socket.recv_multipart()
        answer, result = work(head, body)
        socket.send_multipart(to + [b"", packb(answer), result])
elif role == "DEALER-pusher":
    for i in range(1, jobs + 1):
        socket.send_multipart([b"", packb({"n": i}), packb(i)])
    for i in range(jobs):
        _, head, *body = socket.recv_multipart()
        print(unpackb(head)["k"], unpackb(head)["n"], unpackb(body[0]) if body else None, flush=True)
elif role == "ROUTER-pusher":
    socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
    for i in range(1, jobs + 1):
        while True:
            try:
                socket.send_multipart([b"peer", b"", packb({"n": i}), packb(i)])
                break
            except zmq.ZMQError:
                pass
    for i in range(jobs):
        _, _, head, *body = socket.recv_multipart()
        print(unpackb(head)["k"], unpackb(head)["n"], unpackb(body[0]) if body else None, flush=True)
socket.close()
context.term()
