"""What the jobs need: the tools of others, installed where they are missing, and our own binaries, built."""

import functools
import json
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
# Reports, and the virtual environment.
FOLDER = TARGET / "outside"


class Missing(Exception):
    """A tool that is not here and can't be installed, which is a reason to skip a job. Nothing else is."""


@functools.cache
def python_tool(name):
    """The path of a tool from PyPI, of the version in requirements.txt."""
    wanted = (pathlib.Path(__file__).parent / "requirements.txt").read_text()
    venv, mark = FOLDER / "venv", FOLDER / "venv" / "installed.txt"
    if not mark.exists() or mark.read_text() != wanted:
        try:
            subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=True, capture_output=True, text=True, timeout=120)
            pip = [venv / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", "--timeout", "15", "--retries", "1"]
            subprocess.run([*pip, "-r", pathlib.Path(__file__).parent / "requirements.txt"], check=True, capture_output=True, text=True, timeout=300)
        except subprocess.TimeoutExpired as error:
            raise Missing(f"{name} can't be installed by pip: {error}") from error
        except subprocess.CalledProcessError as error:
            raise Missing(f"{name} can't be installed by pip: {error.stderr.strip()[-500:]}") from error
        mark.write_text(wanted)
    return venv / "bin" / name


@functools.cache
def debian_tool(name):
    """The path of a tool from Debian's package of the same name."""
    if shutil.which(name) is None:
        if os.geteuid() != 0 or shutil.which("apt-get") is None:
            raise Missing(f"{name} is not installed, and can't be: that takes root and apt; hint: apt-get install {name}")
        for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "--no-install-recommends", name]):
            ran = subprocess.run(command, capture_output=True, text=True, timeout=300, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
            if ran.returncode != 0 and command[1] == "install":
                raise Missing(f"{name} can't be installed by apt: {ran.stderr.strip()[-500:]}")
    return shutil.which(name)


@functools.cache
def crowds_binary():
    """Our own part: the echo, and the crowds."""
    profile = os.environ.get("OUTSIDE_PROFILE", "release")
    return build("outside", ["--bench", "outside"], profile)


@functools.cache
def node_binary():
    """The node under test."""
    given = os.environ.get("ENGAGE_BIN")
    if given:
        return pathlib.Path(given).resolve()
    return build("engage", ["--bin", "engage"], "release")


def build(name, what, profile):
    # As in CI: link-time optimisation takes longer than all jobs together, and what it changes is speed.
    env = {"CARGO_PROFILE_RELEASE_LTO": "off", "CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "16", **os.environ}
    command = ["cargo", "build", "--locked", "--profile", profile, *what, "--message-format=json-render-diagnostics"]
    built = subprocess.run(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True, check=True)
    for line in built.stdout.splitlines():
        message = json.loads(line)
        if message.get("reason") == "compiler-artifact" and message["target"]["name"] == name and message.get("executable"):
            return pathlib.Path(message["executable"])
    raise RuntimeError(f"cargo built no {name}")
