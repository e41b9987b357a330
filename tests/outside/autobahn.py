"""The Autobahn test suite's cases (by kosoku, which runs them on a Python that lives) against the node's own WebSocket parts under an echo."""

import collections
import json
import shutil
import subprocess
import time

import tools

# 12 and 13 are about compression, which the node doesn't offer.
LEFT_OUT = ["12.*", "13.*"]
CASES_MIN = 300
GOOD = ("OK", "NON-STRICT", "INFORMATIONAL")


def run():
    kosoku = tools.python_tool("kosoku")
    reports = tools.FOLDER / "autobahn"
    shutil.rmtree(reports, ignore_errors=True)
    started = time.monotonic()
    echo = subprocess.Popen([tools.crowds_binary(), "echo"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        address = echo.stdout.readline().strip()
        left_out = [word for case in LEFT_OUT for word in ("-x", case)]
        command = [kosoku, "-m", "fuzzingclient", *left_out, "-o", reports, f"ws://{address}/v1/connect"]
        # Its exit code says whether anything at all is not spotless; the reports say what.
        ran = subprocess.run(command, capture_output=True, text=True, timeout=240)
    finally:
        echo.stdin.close()
        echo.wait(timeout=10)
    index = reports / "index.json"
    if not index.exists():
        return [f"there is no report: {ran.stdout[-500:]} {ran.stderr[-500:]}"]
    cases = {name: case for agent in json.loads(index.read_text()).values() for name, case in agent.items()}
    return judge(cases, time.monotonic() - started, reports)


def judge(cases, took, reports):
    behaviors = collections.Counter(case["behavior"] for case in cases.values())
    closes = collections.Counter(case["behaviorClose"] for case in cases.values())
    codes = collections.Counter(case.get("remoteCloseCode") for case in cases.values())
    words = lambda counter: ", ".join(f"{count} {word}" for word, count in sorted(counter.items(), key=str))
    print(f"autobahn, {len(cases)} cases in {took:.1f} s: {words(behaviors)}; closes: {words(closes)}; close codes: {words(codes)}; reports in {reports}")
    failures = [f"only {len(cases)} cases ran"] if len(cases) < CASES_MIN else []
    for name, case in sorted(cases.items()):
        if case["behavior"] not in GOOD or case["behaviorClose"] not in GOOD:
            failures.append(f"case {name}: {case['behavior']}, close {case['behaviorClose']} with {case.get('remoteCloseCode')}")
    return failures
