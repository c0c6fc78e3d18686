"""Services and callers of package rpc that are plain ZeroMQ: pyzmq and msgpack, and no library of ours.

    peers.py ROLE ENDPOINT

A service binds, prints where, and answers two calls, "add" and one of any other name. A caller connects, makes
two calls, and prints what it gets.
"""
import sys

import msgpack
import zmq

role, endpoint = sys.argv[1:]
context = zmq.Context()
socket = context.socket(getattr(zmq, role.split("-")[0]))
socket.linger = 10000
socket.rcvtimeo = 20000


def handle(head, body):
    request = msgpack.unpackb(head)
    if request["m"] != "add":
        return [msgpack.packb({"e": "not_found", "t": "no " + request["m"]})]
    args = msgpack.unpackb(body)
    return [b"\x80", msgpack.packb({"Sum": args["A"] + args["B"]})]


def show(head, *body):
    head = msgpack.unpackb(head)
    print(head.get("e", "ok"), head.get("t", ""), msgpack.unpackb(body[0]) if body and body[0] else None, flush=True)


calls = [
    [msgpack.packb({"m": "add", "d": 20000}), msgpack.packb({"A": 1, "B": 2})],
    [msgpack.packb({"m": "subtract"}), msgpack.packb(None)],
]

if role in ("REP", "ROUTER", "DEALER-service"):
    socket.bind(endpoint)
    print(socket.getsockopt_string(zmq.LAST_ENDPOINT).rstrip("\0"), flush=True)
    for _ in calls:
        frames = socket.recv_multipart()
        if role == "REP":
            socket.send_multipart(handle(*frames))
        else:
            at = frames.index(b"") + 1
            socket.send_multipart(frames[:at] + handle(*frames[at:]))
elif role == "REQ":
    socket.connect(endpoint)
    for call in calls:
        socket.send_multipart(call)
        show(*socket.recv_multipart())
elif role == "DEALER":
    socket.connect(endpoint)
    for i, call in enumerate(calls):
        socket.send_multipart([b"call %d" % i, b""] + call)
    for frames in sorted(socket.recv_multipart() for _ in calls):
        show(*frames[2:])
elif role == "ROUTER-caller":
    socket.setsockopt(zmq.CONNECT_ROUTING_ID, b"service")
    socket.connect(endpoint)
    socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
    for i, call in enumerate(calls):
        socket.send_multipart([b"service", b"%d" % i, b"", *call])
    for frames in sorted(socket.recv_multipart() for _ in calls):
        show(*frames[3:])
context.destroy(10000)
