"""Whether anybody else used the machine while something was measured: then the figure is of that, too."""

import os
import resource
import time

# A run is measured when others took less than this part of the machine just before, and is told as disturbed when they took more while it ran.
OTHERS_MAX = 0.15
LOOK_S = 2
WAIT_MAX_S = float(os.environ.get("PEERS_WAIT", 30))
TICKS = os.sysconf("SC_CLK_TCK")


def busy_seconds():
    """CPU seconds that all processes have used, on all cores."""
    with open("/proc/stat") as stat:
        user, nice, system, _idle, _iowait, irq, softirq, *_ = map(int, stat.readline().split()[1:])
    return (user + nice + system + irq + softirq) / TICKS


def own_seconds():
    """CPU seconds of this process and of all that it has started and seen end."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


class Watch:
    """Watches others from when it is made, until it is asked."""

    def __init__(self):
        self.begun = (time.monotonic(), busy_seconds(), own_seconds())

    def others(self):
        """The part of the machine that others took. All of ours must have ended."""
        took, busy, own = (now - before for now, before in zip((time.monotonic(), busy_seconds(), own_seconds()), self.begun))
        return max(busy - own, 0) / (took * os.cpu_count())


def wait():
    """Waits until others are quiet, for a while."""
    give_up = time.monotonic() + WAIT_MAX_S
    while time.monotonic() < give_up:
        watch = Watch()
        time.sleep(LOOK_S)
        if watch.others() < OTHERS_MAX:
            return
