"""Crowds of clients, which are Rust (tests/outside/load): thousands of connections are too much for this language."""

import os
import subprocess

import tools


def never_read(clients, seconds):
    return crowd("never-read", ["--clients", str(clients), "--seconds", str(seconds)])


def storm(clients):
    return crowd("storm", ["--clients", str(clients)])


def crowd(job, arguments):
    env = {"RUST_BACKTRACE": "0", **os.environ, "ENGAGE_BIN": str(tools.node_binary())}
    ran = subprocess.run([tools.crowds_binary(), job, *arguments], env=env, timeout=400)
    return [] if ran.returncode == 0 else [f"it ended with {ran.returncode}; see above"]
