"""A node of its own, on free ports of loopback, with an admin key. It ends with the block that it was started for."""

import base64
import contextlib
import hashlib
import hmac
import http.client
import json
import os
import pathlib
import socket
import subprocess
import tempfile
import time

import tools

KEY = "outside-key-0123456789"
SECRET = "outside-secret-0123456789-0123456789"


class Node:
    def __init__(self, port, pid):
        self.port, self.pid = port, pid
        self.url = f"http://127.0.0.1:{port}"
        self.bearer = {"Authorization": f"Bearer {KEY}"}

    def call(self, method, path, body=None, timeout=10):
        """Makes a call on a connection of its own; status and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        with contextlib.closing(connection):
            headers = dict(self.bearer)
            if body is not None:
                headers["Content-Type"] = "application/json"
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def open_sockets(self):
        """How many the process has. (A connection may have two files, of one socket.)"""
        folder, sockets = f"/proc/{self.pid}/fd", set()
        for file in os.listdir(folder):
            # It may be closed by now.
            with contextlib.suppress(OSError):
                sockets.add(os.readlink(f"{folder}/{file}"))
        return sum(name.startswith("socket:") for name in sockets)

    def metric(self, name):
        """The sum of a metric over its labels."""
        lines = self.call("GET", "/metrics")[1].decode().splitlines()
        samples = (line[len(name):] for line in lines if line.startswith(name))
        return sum(float(rest.rsplit(" ", 1)[1]) for rest in samples if rest[0] in "{ ")


def token(user, seconds=3600):
    """A token for a user."""
    part = lambda data: base64.urlsafe_b64encode(data).rstrip(b"=")
    claims = json.dumps({"sub": user, "exp": int(time.time()) + seconds}).encode()
    signed = part(b'{"alg":"HS256","typ":"JWT"}') + b"." + part(claims)
    return (signed + b"." + part(hmac.new(SECRET.encode(), signed, hashlib.sha256).digest())).decode()


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


@contextlib.contextmanager
def started(settings=None):
    binary = tools.node_binary()
    tools.FOLDER.mkdir(parents=True, exist_ok=True)
    http_port, cluster_port = free_ports(2)
    with tempfile.TemporaryDirectory(prefix="engage-outside-") as folder:
        env = {
            "PATH": os.environ["PATH"],
            "ENGAGE_NODE__DATA_DIR": str(pathlib.Path(folder) / "data"),
            "ENGAGE_HTTP__LISTEN": f"127.0.0.1:{http_port}",
            "ENGAGE_CLUSTER__LISTEN": f"127.0.0.1:{cluster_port}",
            "ENGAGE_CLUSTER__SECRET": SECRET,
            "ENGAGE_AUTH__JWT_SECRET": SECRET,
            "ENGAGE_AUTH__API_KEYS": f"outside:{KEY}:admin",
            "ENGAGE_LOG__LEVEL": "warn",
            **(settings or {}),
        }
        log = open(tools.FOLDER / "node.log", "w")
        process = subprocess.Popen([binary, "serve"], env=env, cwd=folder, stdout=subprocess.DEVNULL, stderr=log)
        try:
            node = Node(http_port, process.pid)
            wait_until_ready(node, process)
            yield node
            if process.poll() is not None:
                raise RuntimeError(f"the node ended by itself with {process.returncode}; see {log.name}")
        finally:
            process.kill()
            process.wait()
            log.close()


def wait_until_ready(node, process):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError):
            if node.call("GET", "/readyz")[0] == 200:
                return
        time.sleep(0.05)
    raise RuntimeError(f"the node is not ready; see {tools.FOLDER / 'node.log'}")
