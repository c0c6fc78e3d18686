"""A member of a group in Python, by hand: a ROUTER that others connect to, and a DEALER for each that it connects to.

It takes the endpoints to connect to, prints the endpoint of its ROUTER and then what others do, and answers a whisper by
a shout to the group "g", which it is in: whatever it was told, in capitals. "bye" ends it.
"""

import sys

import msgpack
import zmq

ME = b"python, by hand!"  # 16 bytes
context = zmq.Context()
router = context.socket(zmq.ROUTER)
port = router.bind_to_random_port("tcp://127.0.0.1")
poller = zmq.Poller()
poller.register(router, zmq.POLLIN)
said_hello = set()  # over which connections: a DEALER, or an identity behind the ROUTER
peers = {}  # of those that have said hello: name and groups


def send(conn, head, *body):
    frames = [b"", msgpack.packb(head), *map(msgpack.packb, body)]
    if isinstance(conn, bytes):
        router.send_multipart([conn, *frames])
    else:
        conn.send_multipart(frames)


def hello(conn):
    if conn not in said_hello:
        said_hello.add(conn)
        send(conn, {"k": 11, "m": "python", "p": ME})
        send(conn, {"k": 13, "m": "g"})


for endpoint in sys.argv[1:]:
    dealer = context.socket(zmq.DEALER)
    dealer.connect(endpoint)
    poller.register(dealer, zmq.POLLIN)
    hello(dealer)
print(f"tcp://127.0.0.1:{port}", flush=True)
while True:
    for socket, _ in poller.poll():
        frames = socket.recv_multipart()
        conn = frames.pop(0) if socket is router else socket
        head = msgpack.unpackb(frames[1])
        kind, what = head.get("k", 0), head.get("m", "")
        if kind == 11:
            peers[conn] = (what, set())
            if len(sys.argv) == 1:  # else who is connected to us may be one that we are connected to
                hello(conn)
            print("hello", what, flush=True)
        elif kind == 13:
            peers[conn][1].add(what)
            if conn in said_hello:
                print("join", peers[conn][0], what, flush=True)
        elif kind == 14:
            peers[conn][1].discard(what)
        elif kind == 0:
            text = msgpack.unpackb(frames[2])
            print(("shout " + what if what else "whisper"), peers[conn][0], text, flush=True)
            if text == "bye":
                context.destroy(linger=1000)
                sys.exit()
            for other, (_, groups) in peers.items():
                if not what and "g" in groups and other in said_hello:
                    send(other, {"m": "g"}, text.upper())
