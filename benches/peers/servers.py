"""The servers that are compared, each on free ports of loopback with a folder of its own, as a competent user would set it up for this: durable where it can be, limits raised, no
debug logs. Each is ended by its process id with the block that it was started for, and leaves nothing behind.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
READY_WITHIN = 40
NODES = 3


class Missing(Exception):
    """A server that is not installed: a reason to leave it out, and to say so."""


@dataclasses.dataclass
class Running:
    """A server that runs: where users and publishers connect to, and its processes."""

    doors: list
    publisher_doors: list
    pids: list


def find(name):
    """The path of a server; the variable (NATS_SERVER, MOSQUITTO, ETCD, NODE) goes first."""
    given = os.environ.get(name.upper().replace("-", "_"))
    path = given or shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if path is None:
        raise Missing(f"{name} is not installed; hint: benches/peers/install")
    return path


def version_of(name):
    said = subprocess.run([find(name), "-h" if name == "mosquitto" else "--version"], capture_output=True, text=True, timeout=20).stdout
    return re.search(r"\d+\.\d+[\w.+-]*", said).group()


def free_ports(count):
    """Ports that nobody has; all are taken before one is let go, so that no two are the same."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in sockets]


@contextlib.contextmanager
def processes(commands, folder):
    """Runs commands, with what they say in files; ends them by their ids."""
    started = []
    try:
        for number, command in enumerate(commands):
            with open(folder / f"said-{number}", "wb") as said:
                started.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, cwd=folder))
        yield started
    finally:
        for process in started:
            process.terminate()
        for process in started:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_until(is_so, started, folder):
    """Waits until a server is ready. One that ended says why."""
    give_up = time.monotonic() + READY_WITHIN
    while True:
        with contextlib.suppress(OSError, ValueError, KeyError):
            if is_so():
                return
        ended = next((number for number, process in enumerate(started) if process.poll() is not None), None)
        if ended is not None or time.monotonic() > give_up:
            said = (folder / f"said-{ended or 0}").read_text(errors="replace")
            raise RuntimeError(f"{started[ended or 0].args[0]} is not ready: {said[-800:]}")
        time.sleep(0.1)


def fetch(url):
    with urllib.request.urlopen(url, timeout=5) as answer:
        return json.load(answer)


def is_open(port):
    with socket.create_connection(("127.0.0.1", port), 1):
        return True


def with_children(pids):
    """Processes, and all that they have started."""
    all_of_them = list(pids)
    for pid in all_of_them:
        for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                all_of_them += [int(child) for child in task.read_text().split()]
    return all_of_them


def local(ports):
    return [f"127.0.0.1:{port}" for port in ports]


@contextlib.contextmanager
def folder_of(name):
    with tempfile.TemporaryDirectory(prefix=f"engage-peers-{name}-", ignore_cleanup_errors=True) as folder:
        yield pathlib.Path(folder)


@contextlib.contextmanager
def nats(is_synced=False):
    """Three servers with JetStream on disk. It doesn't sync each write unless it is told to, which servers before 2.10 can't be."""
    ports = free_ports(4 * NODES)
    clients, monitors, routes, websockets = (ports[first::4] for first in range(4))
    with folder_of("nats") as folder:
        for number in range(NODES):
            others = ", ".join(f'"nats://127.0.0.1:{port}"' for port in routes)
            sync = "sync_interval: always" if is_synced else ""
            (folder / f"n{number}.conf").write_text(f"""
                server_name: n{number}
                listen: "127.0.0.1:{clients[number]}"
                http: "127.0.0.1:{monitors[number]}"
                max_connections: 100000
                max_pending: 268435456
                jetstream {{ store_dir: "{folder}/n{number}", max_mem: 1073741824, max_file: 17179869184, {sync} }}
                cluster {{ name: bench, listen: "127.0.0.1:{routes[number]}", routes: [{others}] }}
                websocket {{ listen: "127.0.0.1:{websockets[number]}", no_tls: true, compression: false }}
            """)
        server = find("nats-server")
        if is_synced and subprocess.run([server, "-t", "-c", folder / "n0.conf"], capture_output=True, timeout=20).returncode != 0:
            raise Missing(f"nats-server {version_of('nats-server')} can't sync each write; hint: 2.10 or newer, by NATS_SERVER")
        with processes([[server, "-c", folder / f"n{number}.conf"] for number in range(NODES)], folder) as started:
            def is_ready():
                known = [fetch(f"http://127.0.0.1:{port}/jsz").get("meta_cluster", {}) for port in monitors]
                return all(one.get("leader") and one.get("cluster_size") == NODES for one in known)
            wait_until(is_ready, started, folder)
            # A leader that was just elected doesn't know its peers' room yet.
            time.sleep(2)
            yield Running(local(websockets), local(clients), [process.pid for process in started])


@contextlib.contextmanager
def mosquitto(is_web=False):
    """One broker, for users over TCP or through a WebSocket: it knows no others. It keeps sessions in memory, and saves them to disk as it ends and every half hour."""
    port, web = free_ports(2)
    with folder_of("mosquitto") as folder:
        (folder / "mosquitto.conf").write_text(f"""
listener {port} 127.0.0.1
listener {web} 127.0.0.1
protocol websockets
user root
allow_anonymous true
persistence true
persistence_location {folder}/
set_tcp_nodelay true
sys_interval 0
max_connections -1
max_inflight_messages 0
max_queued_messages 0
log_type error
connection_messages false
""".lstrip())
        with processes([[find("mosquitto"), "-c", folder / "mosquitto.conf"]], folder) as started:
            wait_until(lambda: is_open(port) and is_open(web), started, folder)
            yield Running(local([web if is_web else port]), local([port]), [started[0].pid])


@contextlib.contextmanager
def socketio():
    """One process, in memory."""
    if not (HERE / "socketio" / "node_modules" / "socket.io").exists():
        raise Missing("socket.io is not installed; hint: benches/peers/install")
    [port] = free_ports(1)
    with folder_of("socketio") as folder:
        command = [find("node"), "--max-old-space-size=6144", HERE / "socketio" / "server.js", str(port)]
        with processes([command], folder) as started:
            wait_until(lambda: is_open(port), started, folder)
            yield Running(local([port]), [], [started[0].pid])


@contextlib.contextmanager
def etcd():
    """Three members; each write is synced to disk by a majority before it is answered."""
    ports = free_ports(2 * NODES)
    clients, peers = ports[:NODES], ports[NODES:]
    everybody = ",".join(f"n{number}=http://127.0.0.1:{port}" for number, port in enumerate(peers))
    with folder_of("etcd") as folder:
        commands = []
        for number in range(NODES):
            client, peer = (f"http://127.0.0.1:{some[number]}" for some in (clients, peers))
            options = {
                "name": f"n{number}", "data-dir": folder / f"n{number}", "listen-client-urls": client, "advertise-client-urls": client,
                "listen-peer-urls": peer, "initial-advertise-peer-urls": peer, "initial-cluster": everybody, "initial-cluster-state": "new",
                "log-level": "error", "logger": "zap", "quota-backend-bytes": 8 * 1024**3,
            }
            commands.append([find("etcd"), *(f"--{name}={value}" for name, value in options.items())])
        with processes(commands, folder) as started:
            wait_until(lambda: all(fetch(f"http://127.0.0.1:{port}/health")["health"] == "true" for port in clients), started, folder)
            yield Running(local(clients), [], [process.pid for process in started])


def socketio_version():
    lock = json.loads((HERE / "socketio" / "package-lock.json").read_text())
    node = subprocess.run([find("node"), "--version"], capture_output=True, text=True, timeout=20).stdout.strip().lstrip("v")
    return f"{lock['packages']['node_modules/socket.io']['version']} (node {node})"


@dataclasses.dataclass
class Server:
    """What it is called in tables, how it is started, how it says its version, and its word in the generator."""

    label: str
    start: object
    version: object
    word: str


PEERS = {
    "nats": Server("nats-server, JetStream R3, files, not synced", nats, lambda: version_of("nats-server"), "nats"),
    "nats-synced": Server("nats-server, JetStream R3, sync always", lambda: nats(is_synced=True), lambda: version_of("nats-server"), "nats"),
    "mosquitto": Server("mosquitto, one node, QoS 2, persistent sessions, TCP", mosquitto, lambda: version_of("mosquitto"), "mosquitto"),
    "mosquitto-web": Server("the same, users through WebSockets", lambda: mosquitto(is_web=True), lambda: version_of("mosquitto"), "mosquitto-web"),
    "socketio": Server("socket.io, one node, memory, state recovery", socketio, socketio_version, "socketio"),
    "etcd": Server("etcd, 3 nodes, synced", etcd, lambda: version_of("etcd"), "etcd"),
}
