"""The jobs, and how each is asked of engage and of a peer. Asked of both are the same numbers."""

import dataclasses
import json
import subprocess

import servers

# A run that takes longer is told as one that didn't end.
RUN_MAX_S = 230
# Three nodes on a few cores need no more threads than that, and a publisher sends what waits together, as those of the peers do: their protocols are pipelined.
CLIENTS = ["--node-threads", "1", "--batch", "256"]
# The nodes of engage: as they are meant to run, and one in memory, to hold beside servers of one process.
ENGAGE = {"engage": ("engage, 3 nodes, synced", CLIENTS), "engage-1": ("engage, one node, in memory", ["--nodes", "1", "--memory", *CLIENTS])}


@dataclasses.dataclass
class Job:
    """A job with its numbers, who takes part, and what is told: (key, label) of each figure, the main one first."""

    title: str
    job: str
    who: list
    figures: list
    users: int = 1000
    # For servers that would need many minutes otherwise.
    fewer: dict = dataclasses.field(default_factory=dict)
    rate: int | None = None
    writers: int | None = None
    is_quick: bool = False

    def users_of(self, name):
        users = self.fewer.get(name, self.users)
        return max(users // 5, 200) if self.is_quick else users

    def arguments(self, name, second=""):
        """What both are told; durations with the unit that is asked for."""
        span, warm_up = ("3", "2") if self.is_quick else ("8", "3")
        asked = ["--users", self.users_of(name), "--span", span + second, "--warm-up", warm_up + second]
        asked += ["--rate", self.rate] if self.rate else []
        asked += ["--writers", self.writers] if self.writers else []
        return [str(word) for word in asked]


DELIVERED = [("deliveries_per_second", "deliveries/s"), ("server_cpu_s_per_1000", "CPU s of all servers per 1,000"),
             ("publish_to_confirm_p50_ms", "publish → confirm p50, ms"), ("publish_to_confirm_p99_ms", "p99, ms"),
             ("unfinished", "not done")]
PACED = [("publish_to_offer_p99_ms", "publish → offer p99, ms"), ("publish_to_offer_p50_ms", "p50, ms"),
         ("deliveries_per_second", "deliveries/s"), ("server_cpu_s_per_1000", "CPU s of all servers per 1,000"), ("unfinished", "not done")]
IDLE = [("resident_kib_per_user", "KiB resident per connection, all nodes"), ("idle_cpu_percent", "% of a core, idle")]
RECOVERED = [("all_confirmed_s", "all confirmed after, s"), ("not_confirmed", "not confirmed"), ("repeats", "repeats"),
             ("second_offers", "offers at the second return"), ("peak_mib", "MiB at the peak, largest node")]
COMMITTED = [("commits_per_second", "commits/s"), ("server_cpu_s_per_1000", "CPU s of all servers per 1,000"), ("commit_p50_ms", "p50, ms"),
             ("commit_p99_ms", "p99, ms")]
USERS_OF_ALL = ["engage", "engage-1", "nats", "mosquitto", "mosquitto-web", "socketio"]

JOBS = {
    "deliver": Job("`deliver`, 1,000 users, closed loop", "deliver", USERS_OF_ALL, DELIVERED),
    "deliver-many": Job("`deliver`, 10,000 users, closed loop", "deliver", USERS_OF_ALL, DELIVERED, users=10_000),
    "rate": Job("`deliver`, 1,000 users, 1,000/s whatever the servers do", "deliver", USERS_OF_ALL, PACED, rate=1000),
    "idle": Job("`idle`, 6,000 connected users", "idle", USERS_OF_ALL, IDLE, users=6000, fewer={"nats": 2000}),
    "recover": Job("`recover`, 1,000 users × 20 waiting", "recover", USERS_OF_ALL, RECOVERED),
    "recover-many": Job("`recover`, 10,000 users × 20 waiting", "recover", ["engage", "engage-1", "mosquitto", "mosquitto-web"], RECOVERED, users=10_000),
    "commit": Job("`commit`, 1,024 writers", "commit", ["engage", "etcd", "nats", "nats-synced"], COMMITTED, writers=1024),
}


def ask(job, name, tools):
    """One run of a job on servers that are started for it and ended with it; its figures, or why there are none."""
    if name in ENGAGE:
        return figures(job, [tools.engage, "bench", job.job, *job.arguments(name, "s"), *ENGAGE[name][1], "--json"])
    peer = servers.PEERS[name]
    with peer.start() as running:
        doors = [word for door in running.doors for word in ("--door", door)]
        doors += [word for door in running.publisher_doors for word in ("--publisher-door", door)]
        pids = [word for pid in servers.with_children(running.pids) for word in ("--pid", str(pid))]
        return figures(job, [tools.generator, peer.word, job.job, *job.arguments(name), *doors, *pids])


def figures(job, command):
    try:
        ran = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=RUN_MAX_S)
    except subprocess.TimeoutExpired:
        return {"failed": f"not done after {RUN_MAX_S} s"}
    try:
        found = json.loads(ran.stdout)
    except ValueError:
        return {"failed": "; ".join(ran.stderr.strip().splitlines()[-2:])[:300] or "it said nothing"}
    told = {key: value for key, value in found["figures"].items()}
    # engage's nodes of this job live in the process of its writers.
    told.setdefault("server_cpu_s_per_1000", told.get("cpu_s_per_1000"))
    if job.job == "recover":
        told["repeats"] = told["offered_again_after_confirm"] + told["offered_again_before_confirm"]
        told.setdefault("not_confirmed", 0)
    return {"figures": told, "errors": found.get("errors", {}), "broken": found.get("broken", [])}
