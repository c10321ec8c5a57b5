"""Figures and ratios as rows, which the JSON file has, and as the tables that are printed."""

import dataclasses

from msw2.benchmarks.machine import Machine
from msw2.benchmarks.rounds import Comparison, Slice, Spread, percentile, ratios
from msw2.evaluation.markdown import table

Slices = dict[str, list[Slice]]


def report(machine: Machine, rounds: int, measured: list[tuple[Comparison, Slices]]) -> dict:
    """Returns all that was measured, as the JSON file has it.

    Args:
        machine: what it was measured on.
        rounds: of every comparison.
        measured: comparisons and the slices of their contenders.

    Returns:
        `machine`, `rounds`; `ratios`, `figures` and `notes`: lists of rows, each with `group` and `comparison`.
    """
    rows = {"ratios": [], "figures": [], "notes": []}
    for comparison, slices in measured:
        place = {"group": comparison.group, "comparison": comparison.title}
        rows["ratios"] += [place | row for row in _ratio_rows(comparison, slices)]
        rows["figures"] += [place | row for row in _figure_rows(comparison, slices, machine)]
        rows["notes"] += [place | {"note": note} for note in comparison.notes]
    return {"machine": dataclasses.asdict(machine), "rounds": rounds} | rows


def markdown(machine: Machine, made: dict) -> str:
    """Returns the report for reading: the machine, a table of ratios, one of figures, notes."""
    rounds = made["rounds"]
    lines = ["# msw2, measured side by side", "", *machine.lines(), ""]
    lines += [
        f"Contenders take turns; {rounds} round{'s' * (rounds > 1)}. "
        "Median, and lowest to highest, of the ratio in each round.",
        "",
    ]
    if made["ratios"]:
        head = ["group", "comparison", "ratio", "median", "lowest to highest", "goal"]
        lines += [table(head, map(_ratio_cells, made["ratios"]), padded=True), ""]
    if made["figures"]:
        head = ["group", "comparison", "contender", "median", "lowest to highest", "unit"]
        head += ["processes x threads", "memory, MiB", "samples: median, 95th percentile"]
        lines += [table(head, map(_figure_cells, made["figures"]), padded=True), ""]
    lines += [f"* {row['group']}, {row['comparison']}: {row['note']}" for row in made["notes"]]
    return "\n".join(lines).rstrip() + "\n"


def _ratio_rows(comparison: Comparison, slices: Slices) -> list[dict]:
    rows = []
    for ratio in comparison.ratios:
        values = ratios(ratio, slices)
        spread = Spread.of(values)
        met = None if ratio.goal is None else spread.median >= ratio.goal
        row = {"ratio": ratio.title, "over": ratio.over, "under": ratio.under, "percent": ratio.percent}
        rows.append(row | dataclasses.asdict(spread) | {"rounds": values, "goal": ratio.goal, "met": met})
    return rows


def _figure_rows(comparison: Comparison, slices: Slices, machine: Machine) -> list[dict]:
    rows = []
    for contender in comparison.contenders:
        turns = slices[contender.name]
        values = [turn.figure for turn in turns]
        row = {"contender": contender.name, "unit": "s" if contender.timed else f"{contender.unit}/s"}
        row |= dataclasses.asdict(Spread.of(values)) | {"rounds": values}
        row |= {
            "processes": contender.at_once or len(contender.jobs),
            "threads": contender.jobs[0].get("threads") or machine.cores,
            "memory": max(turn.memory for turn in turns),
            "samples": None,
        }
        samples = [sample for turn in turns for sample in turn.samples]
        if samples:
            median, high = percentile(samples, 0.5), percentile(samples, 0.95)
            row["samples"] = {
                "of": contender.sampled, "count": len(samples), "median": median, "percentile_95": high
            }  # fmt: skip
        rows.append(row)
    return rows


def _ratio_cells(row: dict) -> list[str]:
    def shown(value):
        return f"{100 * value:.1f} %" if row["percent"] else f"{value:.2f}"

    goal = "" if row["goal"] is None else f">= {row['goal']:.1f}: {'met' if row['met'] else 'not met'}"
    span = f"{shown(row['lowest'])} to {shown(row['highest'])}"
    return [row["group"], row["comparison"], row["ratio"], shown(row["median"]), span, goal]


def _figure_cells(row: dict) -> list[str]:
    samples = row["samples"]
    told = f"{samples['median']:.1f}, {samples['percentile_95']:.1f} {samples['of']}" if samples else ""
    return [
        *(row[name] for name in ("group", "comparison", "contender")),
        _figure(row["median"]),
        f"{_figure(row['lowest'])} to {_figure(row['highest'])}",
        row["unit"],
        f"{row['processes']} x {row['threads']}",
        f"{row['memory'] / 2**20:,.0f}",
        told,
    ]


def _figure(value: float) -> str:
    """Returns a number with three digits, or with all digits before the point where those are more."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
