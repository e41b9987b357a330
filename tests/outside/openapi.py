"""schemathesis against what a node says of itself at `/openapi.json`: no server error, and every answer as it is described."""

import collections
import contextlib
import json
import os
import pathlib
import subprocess
import threading
import time

import node
import tools

HERE = pathlib.Path(__file__).parent
SEED = 1
# What waits in these is bounded by what schemathesis may send, not by what suits a user: a full buffer, 507, is no server error here.
ROOMY = {
    "ENGAGE_BUFFER__MAX_DELIVERIES": "60000",
    "ENGAGE_BUFFER__MAX_BYTES": "64MiB",
    "ENGAGE_LIMITS__RECORDS_PER_USER": "65536",
    "ENGAGE_LIMITS__OUTBOX_BYTES": "128MiB",
    "ENGAGE_LIMITS__PUBLISHES_PER_SECOND": "0",
}
# schemathesis likes this name best: what bears it is found.
FAVOURITE = "0"
USER = "outside"
# What can't succeed on a node alone, or without a handshake. Everything else must, at least once.
NEVER = {"DELETE /v1/cluster/nodes/{name}", "POST /v1/cluster/nodes/{name}/drain", "GET /v1/connect"}


class Life:
    """What goes on meanwhile: there is a user with an engagement, as often as they are deleted, and the connections of another user are closed, as often as they are opened."""

    def __init__(self, to):
        self.to, self.over = to, threading.Event()
        self.thread = threading.Thread(target=self.live)

    def live(self):
        while not self.over.is_set():
            # A call that meets the end of the node is no news.
            with contextlib.suppress(OSError):
                self.to.call("POST", f"/v1/users/{FAVOURITE}/engagements", {"id": FAVOURITE, "payload": {"text": "hello"}})
                self.to.call("DELETE", f"/v1/users/{USER}")
            time.sleep(0.02)

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def run(examples, cases_min):
    tool = tools.python_tool("schemathesis")
    failures, seen, started = [], collections.Counter(), time.monotonic()
    with node.started({"ENGAGE_NODE__NAME": FAVOURITE, **ROOMY}) as to, Life(to):
        passes = {
            # With an admin's key, everything; with paths to what is there; and with a user's token, what clients may do.
            "key": ("schemathesis.toml", node.KEY, []),
            "known": ("schemathesis_known.toml", node.KEY, ["--include-path-regex", "^/v1/users/[{]user", "--exclude-operation-id", "forgetUser"]),
            "token": ("schemathesis.toml", node.token(USER), ["--include-tag", "clients"]),
        }
        for name, (config, bearer, which) in passes.items():
            report = tools.FOLDER / f"schemathesis-{name}.ndjson"
            command = [tool, "--config-file", HERE / config, "run", f"{to.url}/openapi.json", "--header", f"Authorization: Bearer {bearer}", *which]
            command += ["--seed", str(SEED), "--max-examples", str(examples), "--report", "ndjson", "--report-ndjson-path", report]
            env = {**os.environ, "SCHEMATHESIS_HOOKS": str(HERE / "schemathesis_hooks.py")}
            ran = subprocess.run(command, env=env, cwd=tools.FOLDER, capture_output=True, text=True, timeout=900)
            read(report, seen)
            if ran.returncode != 0:
                log = tools.FOLDER / f"schemathesis-{name}.log"
                log.write_text(ran.stdout + ran.stderr)
                failures.append(f"with a {name}: see {log}\n{ran.stdout[-3000:]}")
        if to.call("GET", "/readyz")[0] != 200:
            failures.append("afterwards the node is not ready")
    return failures + judge(seen, cases_min, time.monotonic() - started)


def read(report, seen):
    """Counts every answer by its operation and status."""
    for line in report.read_text().splitlines():
        scenario = json.loads(line).get("ScenarioFinished")
        if not scenario:
            continue
        recorder = scenario["recorder"]
        for case in recorder.get("interactions", {}).values():
            answer = case.get("response")
            seen[recorder["label"], answer["status_code"] if answer else None] += 1


def judge(seen, cases_min, took):
    cases = sum(seen.values())
    errors = {f"{label} {status}": count for (label, status), count in seen.items() if status is None or status >= 500}
    operations = {label for label, _ in seen}
    succeeded = {label for (label, status) in seen if status is not None and status < 300}
    statuses = collections.Counter()
    for (_, status), count in seen.items():
        statuses[status] += count
    told = ", ".join(f"{count} × {status}" for status, count in sorted(statuses.items(), key=str))
    print(f"schemathesis, seed {SEED}, {cases} requests to {len(operations)} operations in {took:.0f} s ({told}); {sum(errors.values())} server errors; "
          f"never successful: {', '.join(sorted(operations - succeeded)) or 'none'}")
    failures = [f"server errors: {errors}"] if errors else []
    if operations - succeeded - NEVER:
        failures.append(f"never successful, so that no good answer was looked at: {operations - succeeded - NEVER}")
    if cases < cases_min:
        failures.append(f"only {cases} requests were made, not {cases_min}")
    return failures
