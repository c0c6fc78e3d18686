"""A libzmq peer for the interop tests, driven over standard input and output.

Each input line is a JSON command {"id", "op", ...}, each output line the answer to one: {"id", ...result} or
{"id", "error"}. Every socket has a thread of its own, which carries out the socket's commands in the order they came;
commands to different sockets run side by side. End of input ends the process at once, so that none is orphaned.

Bytes travel as base64. Large content does not travel: "make" frames of a given size here, and compare stream hashes
(see Stream), which the Go side computes in the same way.
"""
import base64
import hashlib
import itertools
import json
import os
import queue
import struct
import sys
import threading
import time

import zmq
from zmq.utils.monitor import parse_monitor_message

context = zmq.Context()
sockets = {}
monitors = itertools.count()
out_lock = threading.Lock()


def answer(id, result):
    line = json.dumps({"id": id, **result})
    with out_lock:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


class Stream:
    """A hash of a sequence of messages: contents, frame borders and order all count."""

    def __init__(self):
        self.hash = hashlib.sha256()
        self.count = self.bytes = 0

    def add(self, frames):
        self.hash.update(struct.pack(">I", len(frames)))
        for f in frames:
            self.hash.update(struct.pack(">Q", len(f)))
            self.hash.update(f)
            self.bytes += len(f)
        self.count += 1

    def result(self):
        return {"count": self.count, "bytes": self.bytes, "hash": self.hash.hexdigest()}


class Pool:
    """Random bytes, made once: a frame is a piece of them from a place that differs from frame to frame."""

    step = 0
    data = b""

    @classmethod
    def make(cls, size):
        cls.step = (cls.step + 7919) % 65521
        if len(cls.data) < size + 65536:
            cls.data = os.urandom(size + 65536)
        return cls.data[cls.step:cls.step + size]


def b64(b):
    return base64.b64encode(b).decode()


def option_value(v):
    return base64.b64decode(v["b64"]) if isinstance(v, dict) else v


class Socket:
    def __init__(self, type):
        self.socket = context.socket(getattr(zmq, type))
        self.socket.linger = 0
        self.events = []
        self.monitored = False
        self.changed = threading.Condition()
        self.commands = queue.Queue()

    def run(self):
        while True:
            id, op, args = self.commands.get()
            try:
                result = getattr(self, "do_" + op)(**args) or {}
            except (zmq.Again, TimeoutError) as e:
                result = {"error": "%s: %s" % (op, e), "timeout": True}
            except Exception as e:
                result = {"error": "%s: %s: %s" % (op, type(e).__name__, e)}
            answer(id, result)
            if op == "close":
                return

    # Set-up.

    def do_set(self, options):
        for name, value in options.items():
            self.socket.setsockopt(getattr(zmq, name), option_value(value))

    def do_unbind(self, endpoint):
        self.socket.unbind(endpoint)

    def do_disconnect(self, endpoint):
        self.socket.disconnect(endpoint)

    def do_bind(self, endpoint):
        self.socket.bind(endpoint)
        return {"endpoint": self.socket.getsockopt_string(zmq.LAST_ENDPOINT).rstrip("\0")}

    def do_connect(self, endpoint):
        self.socket.connect(endpoint)

    def do_subscribe(self, topics):
        for t in topics:
            self.socket.setsockopt(zmq.SUBSCRIBE, base64.b64decode(t))

    def do_unsubscribe(self, topics):
        for t in topics:
            self.socket.setsockopt(zmq.UNSUBSCRIBE, base64.b64decode(t))

    def do_close(self, linger=0):
        self.socket.close(linger)

    # Single messages.

    def ready(self, flag, timeout):
        if not self.socket.poll(timeout, flag):
            raise TimeoutError("nothing within %d ms" % timeout)

    def do_poll(self, flag, timeout):
        return {"count": self.socket.poll(timeout, getattr(zmq, flag))}

    def do_send(self, frames, timeout=10000):
        self.socket.getsockopt(zmq.EVENTS)  # makes it look at peers that have come and gone
        self.socket.sndtimeo = timeout  # no poll: a ROUTER is always writable, and a REQ out of turn should say so
        try:
            self.socket.send_multipart([base64.b64decode(f) for f in frames])
        finally:
            self.socket.sndtimeo = -1

    def do_recv(self, timeout=10000):
        self.socket.rcvtimeo = timeout
        try:
            return {"frames": [b64(f) for f in self.socket.recv_multipart()]}
        finally:
            self.socket.rcvtimeo = -1

    # Many messages. sizes is a list of messages, each a list of frame sizes, gone through again and again.

    def do_sendmany(self, sizes, count, timeout=10000):
        s = Stream()
        for i in range(count):
            frames = [Pool.make(n) for n in sizes[i % len(sizes)]]
            self.ready(zmq.POLLOUT, timeout)
            self.socket.send_multipart(frames)
            s.add(frames)
        return s.result()

    def do_recvmany(self, count, timeout=10000):
        s = Stream()
        while s.count < count:
            if not self.socket.poll(timeout):
                return {"error": "recvmany: %d of %d messages, then none for %d ms" % (s.count, count, timeout)}
            s.add(self.socket.recv_multipart())
        return s.result()

    def do_askmany(self, sizes, count, timeout=10000):
        s = Stream()
        for i in range(count):
            frames = [Pool.make(n) for n in sizes[i % len(sizes)]]
            self.socket.send_multipart(frames)
            self.ready(zmq.POLLIN, timeout)
            if self.socket.recv_multipart() != frames:
                raise ValueError("the reply to request %d is not the request" % i)
            s.add(frames)
        return s.result()

    def do_echo(self, count, mode="all", timeout=10000):
        """all: every frame goes back (a ROUTER's first one says where to); body: a ROUTER that keeps only the id and
        the last frame, with one empty frame between."""
        s = Stream()
        while s.count < count:
            self.ready(zmq.POLLIN, timeout)
            frames = self.socket.recv_multipart()
            s.add(frames)
            self.socket.send_multipart([frames[0], b"", frames[-1]] if mode == "body" else frames)
        return s.result()

    def do_flood(self, ms, size):
        """Sends for a time, then b"end"."""
        s = Stream()
        until = time.monotonic() + ms / 1000
        while time.monotonic() < until:
            for _ in range(16):
                frames = [Pool.make(size)]
                self.ready(zmq.POLLOUT, 10000)
                self.socket.send_multipart(frames)
                s.add(frames)
        self.socket.send(b"end")
        return s.result()

    def do_recvuntil(self, end, timeout=10000):
        """Receives up to a message whose first frame is end, which is not counted."""
        s, end = Stream(), base64.b64decode(end)
        while True:
            self.ready(zmq.POLLIN, timeout)
            frames = self.socket.recv_multipart()
            if frames[0] == end:
                return s.result()
            s.add(frames)

    def do_numbers(self, last, slow=0, timeout=10000):
        """Receives messages that begin with an 8-byte number up to number last; they must follow on one another. The first
        slow ones take a millisecond each."""
        first, next, count = None, None, 0
        while next is None or next <= last:
            if count < slow:
                time.sleep(0.001)
            if not self.socket.poll(timeout):
                return {"error": "numbers: had %s to %s, then none for %d ms" % (first, next, timeout)}
            n = struct.unpack(">Q", self.socket.recv_multipart()[0][:8])[0]
            if first is None:
                first = n
            elif n != next:
                return {"error": "numbers: %d came after %d" % (n, next - 1)}
            next, count = n + 1, count + 1
        return {"first": first, "count": count}

    def do_subscriptions(self, count, timeout=10000):
        """Receives subscriptions at an XPUB until count different ones are held."""
        held, messages = set(), 0
        while len(held) < count:
            if not self.socket.poll(timeout):
                return {"error": "subscriptions: %d of %d, then none for %d ms" % (len(held), count, timeout)}
            m = self.socket.recv()
            messages += 1
            (held.add if m[0] else held.discard)(m[1:])
        hash = hashlib.sha256(b"\n".join(sorted(held))).hexdigest()
        return {"count": messages, "hash": hash}

    # Monitor. The waiting commands do not run on the socket's thread.

    def do_monitor(self):
        if self.monitored:
            return
        self.monitored = True
        # pyzmq's own name for it is made of the file descriptor, which a socket that still lingers may have had.
        pair = self.socket.get_monitor_socket(addr="inproc://monitor-%d" % next(monitors))

        def follow():
            while True:
                event = parse_monitor_message(pair.recv_multipart())["event"]
                with self.changed:
                    self.events.append(zmq.Event(event).name)
                    self.changed.notify_all()
                if event == zmq.EVENT_MONITOR_STOPPED:
                    pair.close()
                    return

        threading.Thread(target=follow, daemon=True).start()

    def now_events(self):
        with self.changed:
            return {"events": list(self.events)}

    def now_waitevent(self, name, count, timeout=10000):
        with self.changed:
            if not self.changed.wait_for(lambda: self.events.count(name) >= count, timeout / 1000):
                return {"error": "waitevent: no %s number %d within %d ms" % (name, count, timeout), "events": self.events}
            return {"events": list(self.events)}

    def now_waitpeers(self, count, timeout=10000):
        """Waits until, of the connections whose handshake the monitor has seen, exactly count are left."""

        def peers():
            failed = sum(e.startswith("HANDSHAKE_FAILED") for e in self.events)
            return self.events.count("HANDSHAKE_SUCCEEDED") - max(0, self.events.count("DISCONNECTED") - failed)

        with self.changed:
            if not self.changed.wait_for(lambda: peers() == count, timeout / 1000):
                return {"error": "waitpeers: %d, want %d: %s" % (peers(), count, self.events), "timeout": True}
            return {}


def authenticate(users, keys, statuses={}):
    """Decides for all PLAIN and CURVE servers of this process which clients may come in (RFC 27). users are names with
    passwords, keys public keys; statuses has for a user of PLAIN what is answered in any case."""
    handler = context.socket(zmq.REP)
    handler.bind("inproc://zeromq.zap.01")
    keys = {base64.b64decode(k) for k in keys}
    users = {name.encode(): password.encode() for name, password in users.items()}

    def decide():
        while True:
            version, id, domain, address, identity, mechanism, *credentials = handler.recv_multipart()
            if mechanism == b"PLAIN":
                good, user = users.get(credentials[0]) == credentials[1], credentials[0]
            else:
                good, user = mechanism == b"CURVE" and credentials[0] in keys, b"somebody"
            status = statuses.get(user.decode(), "200" if good else "400")
            handler.send_multipart([version, id, status.encode(), b"", user if status == "200" else b"", b""])

    threading.Thread(target=decide, daemon=True).start()


stalls = []


def watch_stalls():
    """Notes when this process did not get to run."""
    last = time.monotonic()
    while True:
        time.sleep(0.005)
        now = time.monotonic()
        if now - last > 0.045:
            stalls.append((now, now - last))
        last = now


def worst_stall(ms):
    since = time.monotonic() - ms / 1000
    return {"count": int(1000 * max([d for at, d in stalls if at > since], default=0))}


def dispatch(id, op, sock=None, **args):
    if op == "socket":
        s = sockets[sock] = Socket(args["type"])
        s.do_set(args["options"])
        threading.Thread(target=s.run, daemon=True).start()
        answer(id, {})
        return
    if op == "stalls":
        answer(id, worst_stall(args["ms"]))
        return
    if op == "authenticate":
        authenticate(**args)
        answer(id, {})
        return
    if op == "term":  # every socket must have been closed
        threading.Thread(target=lambda: (context.term(), answer(id, {})), daemon=True).start()
        return
    s = sockets[sock]
    if hasattr(s, "now_" + op):
        def waiting():
            answer(id, getattr(s, "now_" + op)(**args))
        threading.Thread(target=waiting, daemon=True).start()
        return
    if op == "close":
        del sockets[sock]
    s.commands.put((id, op, args))


threading.Thread(target=watch_stalls, daemon=True).start()
answer(0, {"version": zmq.zmq_version()})
for line in sys.stdin:
    command = json.loads(line)
    try:
        dispatch(**command)
    except Exception as e:
        answer(command["id"], {"error": "%s: %s: %s" % (command["op"], type(e).__name__, e)})
os._exit(0)
