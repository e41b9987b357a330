"""slowhttptest's three kinds of slow clients, a thousand at once: heads that drip in, bodies that drip in, answers that nobody reads. A probe on connections of its own goes on."""

import subprocess
import threading
import time

import node
import tools

BAR_MS = 250
PROBE_EVERY_S = 0.02
# An engagement of this size never ends within a run.
BODY_BYTES = 60000


class Probe:
    """Publishes, and asks for the state of the node, in turn, each on a new connection."""

    def __init__(self, to):
        self.to, self.waits, self.errors, self.most_open = to, [], [], 0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.live)

    def live(self):
        count = 0
        while not self.over.is_set():
            count += 1
            if count % 10 == 1:
                self.most_open = max(self.most_open, self.to.open_sockets())
            began = time.monotonic()
            try:
                if count % 2:
                    status = self.to.call("POST", f"/v1/users/probe-{count}/engagements", {"id": "probe", "payload": 1})[0]
                else:
                    status = self.to.call("GET", "/readyz")[0]
                if status not in (200, 201):
                    self.errors.append(f"answered {status}")
            except OSError as error:
                self.errors.append(str(error))
            self.waits.append((time.monotonic() - began) * 1000)
            time.sleep(PROBE_EVERY_S)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()

    def p99(self):
        return sorted(self.waits)[int(len(self.waits) * 0.99)] if self.waits else float("inf")


def kinds(to):
    # slowhttptest can send a cookie and a type, and no other header; the body must come with a key, or nobody would wait for it.
    key = f"a=b\r\nAuthorization: Bearer {node.KEY}"
    publish = f"{to.url}/v1/users/slow/engagements"
    return {
        "heads": ["-H", "-i", "2", "-u", f"{to.url}/healthz"],
        "bodies": ["-B", "-i", "2", "-s", str(BODY_BYTES), "-t", "POST", "-f", "application/json", "-j", key, "-u", publish],
        "reads": ["-X", "-w", "256", "-y", "512", "-n", "2", "-z", "16", "-k", "4", "-u", f"{to.url}/openapi.json"],
    }


def run(connections, seconds):
    tool = tools.debian_tool("slowhttptest")
    failures, figures = [], []
    with node.started() as to:
        with Probe(to) as calm:
            time.sleep(3)
        for kind, arguments in kinds(to).items():
            # Its own idea of when to give up, -p, is far beyond the bar.
            command = [tool, *arguments, "-c", str(connections), "-r", "500", "-l", str(seconds), "-x", "24", "-p", "5"]
            with Probe(to) as probe:
                ran = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60)
            # Counted at the node: slowhttptest itself tells only every 5 s, when many have been cut.
            most = probe.most_open - calm.most_open
            figures.append(f"{kind}: {most} at once, p99 {probe.p99():.1f} ms of {len(probe.waits)} probes, {len(probe.errors)} errors")
            if most < connections * 0.9:
                failures.append(f"{kind}: only {most} connections were there at once: {ran.stdout[-400:]}")
            if probe.p99() > BAR_MS:
                failures.append(f"{kind}: p99 {probe.p99():.0f} ms")
            if probe.errors or len(probe.waits) < 50:
                failures.append(f"{kind}: of {len(probe.waits)} probes {len(probe.errors)} failed: {probe.errors[:3]}")
        # Those who were slow must not have a place for ever.
        status, _ = to.call("GET", "/readyz")
        if status != 200:
            failures.append(f"afterwards the node is not ready: {status}")
    print(f"slow, {connections} connections of each kind for {seconds} s: calm p99 {calm.p99():.1f} ms; {'; '.join(figures)} (bar {BAR_MS} ms)")
    return failures


