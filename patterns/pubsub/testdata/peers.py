"""Peers of libzmq without a line of Yodel: a subscriber and a publisher. The end of standard input ends them."""
import os
import sys
import threading

import msgpack
import zmq

context = zmq.Context()


def sub(endpoint, *topics):
    """Prints what comes."""
    s = context.socket(zmq.SUB)
    for t in topics:
        s.subscribe(t)
    s.connect(endpoint)
    while True:
        topic, head, body = s.recv_multipart()
        print(topic.decode(), msgpack.unpackb(head), dict(sorted(msgpack.unpackb(body).items())), flush=True)


def pub(subscriptions):
    """Publishes once it has so many subscriptions. It is an XPUB, so as to see them."""
    s = context.socket(zmq.XPUB)
    print("tcp://127.0.0.1:%d" % s.bind_to_random_port("tcp://127.0.0.1"), flush=True)
    for _ in range(int(subscriptions)):
        while s.recv().startswith(b"\1\0"):  # what only a publisher of Yodel understands
            pass
    send = s.send_multipart
    send([b"quotes.eu.bmw", msgpack.packb(1)])
    send([b"quotes.eu.sap", msgpack.packb({"Price": 1.5})])
    send([b"newspaper", msgpack.packb(2)])
    send([b"quotes.y.sap", msgpack.packb({}), msgpack.packb(3), b"more"])
    send([b"quotes.z.sap", msgpack.packb(3), msgpack.packb(3)])
    send([b"quotes.us.sap", msgpack.packb({"n": 5}), msgpack.packb(4)])
    send([b"news"])
    send([b"quotes.x.sap", msgpack.packb({"h": {"a": "b"}, "unknown": [1]}), msgpack.packb({"tenant": "blue"})])
    send([b"plain.text", b"hello"])
    threading.Event().wait()


def until_end():
    sys.stdin.read()
    os._exit(0)


threading.Thread(target=until_end, daemon=True).start()
globals()[sys.argv[1]](*sys.argv[2:])
