"""Tables of what was measured: medians over the rounds, the range of the main figure, and its ratio to engage's."""

import statistics

import calm


def number(value):
    """As many digits as mean something."""
    if value is None:
        return ""
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 1 else f"{value:.3f}"


def of(name, runs):
    """The runs of a job on a server; those that others disturbed only if there are no others."""
    mine = [run for run in runs if (run["job"], run["server"]) == name and "figures" in run]
    return [run for run in mine if run.get("others", 0) <= calm.OTHERS_MAX] or mine


def is_disturbed(runs):
    return any(run.get("others", 0) > calm.OTHERS_MAX for run in runs)


def median(runs, key):
    values = [run["figures"][key] for run in runs if run["figures"].get(key) is not None]
    return statistics.median(values) if values else None


def rows(name, job, runs, labels):
    """A row for each server of a job."""
    main = job.figures[0][0]
    first = of((name, "engage"), runs)
    for server in job.who:
        mine = of((name, server), runs)
        failed = [run["failed"] for run in runs if (run["job"], run["server"]) == (name, server) and "failed" in run]
        if not mine and not failed:
            continue
        label = labels[server] + (f" ({mine[0]['users']:,} users)" if mine and mine[0]["users"] != job.users and job.job != "commit" else "")
        if not mine:
            yield [label, f"none: {failed[0]}", *[""] * (len(job.figures) + 1)]
            continue
        values = [run["figures"][main] for run in mine if run["figures"].get(main) is not None]
        # A figure that others disturbed is held beside none, and none beside it.
        is_calm = first and values and not is_disturbed(first) and not is_disturbed(mine)
        ratio = f"{median(mine, main) / median(first, main):.2f}" if is_calm and median(first, main) else ""
        spread = f" ({number(min(values))}–{number(max(values))})" if len(values) > 1 else ""
        if is_disturbed(mine):
            label += " (disturbed)"
        note = f"; {len(failed)} of {len(failed) + len(mine)} runs failed" if failed else ""
        yield [label, number(median(mine, main)) + spread + note, ratio, str(len(mine)), *(number(median(mine, key)) for key, _ in job.figures[1:])]


def markdown(jobs, runs, labels):
    """All of it, a table for each job."""
    lines = []
    for name, job in jobs.items():
        told = list(rows(name, job, runs, labels))
        if not told:
            continue
        head = [job.title, job.figures[0][1], "× engage", "runs"]
        head += [label for _, label in job.figures[1:]]
        lines += ["", "| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
        lines += ["| " + " | ".join(cells) + " |" for cells in told]
    return "\n".join(lines).strip()
