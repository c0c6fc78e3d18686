"""Holds msgpack-python against ../vectors.json, and shows how a test in another language reads that file."""

import json
import sys

import msgpack


def real(v):
    """Turns what JSON cannot say into what it stands for."""
    if isinstance(v, list):
        return [real(x) for x in v]
    if not isinstance(v, dict):
        return v
    if set(v) == {"$bin"}:
        return bytes.fromhex(v["$bin"])
    if set(v) == {"$int"}:
        return int(v["$int"])
    if set(v) == {"$float"}:
        return float(v["$float"])
    if set(v) == {"$time"}:
        return msgpack.Timestamp(*v["$time"])
    return {k: real(x) for k, x in v.items()}


def match(pattern, subject):
    tokens = subject.split(".") if subject else []
    for i, token in enumerate(pattern.split(".")):
        if token == "#":
            return True
        if token == ">":
            return len(tokens) > i
        if i >= len(tokens) or token not in ("*", tokens[i]):
            return False
    return len(tokens) == pattern.count(".") + 1


def zmtp(frames):
    """The frames of a message, each shorter than 256 bytes, as ZMTP has them."""
    last = len(frames) - 1
    return b"".join(bytes([i < last, len(f)]) + f for i, f in enumerate(frames))


vectors = json.load(sys.stdin)
checked = 0


def check(what, got, want):
    global checked
    checked += 1
    if got != want:
        sys.exit(f"{what}: got {got!r}, want {want!r}")


for v in vectors["heads"] + vectors["heads_read"]:
    head = msgpack.unpackb(bytes.fromhex(v["hex"]))
    want = real(v["head"])
    if v in vectors["heads"]:
        check(v["name"], head, want)
        check(v["name"], msgpack.packb(want).hex(), v["hex"])
    for key in want:
        check(v["name"], head[key], want[key])
for v in vectors["bodies"]:
    check(v["name"], msgpack.unpackb(bytes.fromhex(v["hex"])), real(v["value"]))
    check(v["name"], msgpack.packb(real(v["value"])).hex(), v["hex"])
for v in vectors["messages"]:
    check(v["name"], zmtp([bytes.fromhex(f) for f in v["frames"]]).hex(), v["zmtp"])
for v in vectors["matches"]:
    check(v, match(v["pattern"], v["subject"]), v["match"])
print(checked, "checks with msgpack-python", ".".join(map(str, msgpack.version)))
