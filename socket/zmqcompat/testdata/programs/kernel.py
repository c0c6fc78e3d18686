"""Drives a Jupyter kernel of Go by the real Jupyter client: kernel.py CODE COMMAND… ({connection_file} is added).

It must answer, give 3 for CODE, keep its heart beating while nothing else happens and while code runs, serve eight clients with
names of their own at once, and shut down when it is asked to.
"""

import sys
import threading
import time

from jupyter_client import BlockingKernelClient, KernelManager
from jupyter_client.kernelspec import KernelSpec

code, command = sys.argv[1], sys.argv[2:]


def run(client, code):
    """Runs code and returns what it showed."""
    shown = []

    def hook(msg):
        content = msg["content"]
        if msg["msg_type"] == "stream":
            shown.append(content["text"])
        elif msg["msg_type"] in ("execute_result", "display_data"):
            shown.append(content["data"].get("text/plain", ""))

    reply = client.execute_interactive(code, timeout=120, output_hook=hook)
    if reply["content"]["status"] != "ok":
        sys.exit(f"{code!r}: {reply['content']} {shown}")
    return "".join(shown).strip()


def ask(answered, number):
    """Is one of several clients, each with a name of its own."""
    client = BlockingKernelClient()
    client.load_connection_info(manager.get_connection_info(session=False))
    client.session.key = manager.session.key
    client.start_channels()
    client.kernel_info(reply=True, timeout=60)
    answered.append(number)
    client.stop_channels()


manager = KernelManager()
manager._kernel_spec = KernelSpec(argv=[*command, "{connection_file}"], display_name="Go", language="go")
manager.start_kernel()
try:
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=120)

    beats = threading.Event()
    stopped = []

    def watch():
        while not beats.wait(0.2):
            if not client.hb_channel.is_beating():
                stopped.append(time.monotonic())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    got = run(client, code)
    if got != "3":
        sys.exit(f"{code!r} gave {got!r}, want 3")
    time.sleep(6)  # the client pings every second, and gives a kernel up that does not answer
    beats.set()
    watcher.join()
    if stopped or not client.is_alive():
        sys.exit(f"the heart stopped {len(stopped)} times, alive: {client.is_alive()}")

    answered = []
    threads = [threading.Thread(target=ask, args=(answered, n), daemon=True) for n in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    if len(answered) != 8:
        sys.exit(f"{len(answered)} of 8 clients were answered")

    client.shutdown()
    for _ in range(300):
        if manager.provisioner.process.poll() is not None:
            break
        time.sleep(0.1)
    else:
        sys.exit("the kernel did not shut down")
    client.stop_channels()
finally:
    if manager.is_alive():
        manager.shutdown_kernel(now=True)
print("answers, counts, beats, serves 8 clients at once, shuts down")
