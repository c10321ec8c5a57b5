import json

from msw2.benchmarks.bench_report import markdown, report
from msw2.benchmarks.rounds import Comparison, Contender, Ratio, Slice

COMPARISON = Comparison(
    "stage1",
    "PAPER",
    (
        Contender("ours", ({"threads": 1}, {"threads": 1}), "bars"),
        Contender("stock", ({"threads": 0},), "bars", sampled="ms"),
        Contender("epoch", ({},) * 3, "bars", at_once=2, timed=True),
    ),
    (
        Ratio("ours / stock", "ours", "stock", goal=3.0),
        Ratio("stock / ours", "stock", "ours", goal=0.5),
        Ratio("share", "stock", "ours", scale=0.5, percent=True),
    ),
    ("something to know",),
)
SLICES = {
    "ours": [Slice(1000.0, 2**20), Slice(1200.0, 3 * 2**20), Slice(900.0, 2**20)],
    "stock": [Slice(500.0, samples=(1.0, 2.0)), Slice(400.0, samples=(3.0,)), Slice(300.0, samples=(9.0,))],
    "epoch": [Slice(1.5), Slice(2.5), Slice(3.5)],
}


def test_the_file_has_every_round_of_every_figure_and_ratio(machine):
    made = json.loads(json.dumps(report(machine, 3, [(COMPARISON, SLICES)])))
    assert set(made) == {"machine", "rounds", "ratios", "figures", "notes"}
    assert made["machine"] == {
        "cpu": "Some CPU", "cores": 2, "memory": 8 * 2**30, "gpus": [], "versions": machine.versions, "load": 0.25,
    }  # fmt: skip
    place = {"group": "stage1", "comparison": "PAPER"}
    ours, epoch = made["figures"][0], made["figures"][2]
    assert ours == place | {
        "contender": "ours", "unit": "bars/s", "median": 1000, "lowest": 900, "highest": 1200,
        "rounds": [1000, 1200, 900], "processes": 2, "threads": 1, "memory": 3 * 2**20, "samples": None,
    }  # fmt: skip
    assert (epoch["unit"], epoch["median"], epoch["processes"], epoch["threads"]) == ("s", 2.5, 2, 2)
    assert made["figures"][1]["samples"] == {"of": "ms", "count": 4, "median": 2.0, "percentile_95": 9.0}
    assert made["ratios"][0] == place | {
        "ratio": "ours / stock", "over": "ours", "under": "stock", "median": 3.0, "lowest": 2.0, "highest": 3.0,
        "rounds": [2.0, 3.0, 3.0], "goal": 3.0, "met": True, "percent": False,
    }  # fmt: skip
    assert [row["met"] for row in made["ratios"]] == [True, False, None]
    assert made["notes"] == [place | {"note": "something to know"}]


def test_the_tables(machine):
    text = markdown(machine, report(machine, 3, [(COMPARISON, SLICES)]))
    lines = text.splitlines()
    assert lines[2:4] == [
        "Some CPU, 2 cores usable, 8.0 GiB; GPU: none; load average 0.25 at the start",
        "Python 3.11, PyTorch 2.9, pretty_midi not installed",
    ]
    assert lines[5].startswith("Contenders take turns; 3 rounds. ")
    assert lines[7:12] == [
        "| group  | comparison | ratio        | median | lowest to highest | goal            |",
        "| ------ | ---------- | ------------ | -----: | ----------------- | --------------- |",
        "| stage1 | PAPER      | ours / stock |   3.00 | 2.00 to 3.00      | >= 3.0: met     |",
        "| stage1 | PAPER      | stock / ours |   0.33 | 0.33 to 0.50      | >= 0.5: not met |",
        "| stage1 | PAPER      | share        | 16.7 % | 16.7 % to 25.0 %  |                 |",
    ]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[15:18]]
    assert rows[0][2:] == ["ours", "1,000", "900 to 1,200", "bars/s", "2 x 1", "3", ""]
    assert rows[1][2:] == ["stock", "400", "300 to 500", "bars/s", "1 x 2", "0", "2.0, 9.0 ms"]
    assert rows[2][2:] == ["epoch", "2.5", "1.5 to 3.5", "s", "2 x 2", "0", ""]
    assert lines[-1] == "* stage1, PAPER: something to know"


def test_where_nothing_could_be_measured_the_reason_is_printed(machine):
    nothing = Comparison("gpu", "GPU", notes=("no GPU was found",))
    made = report(machine, 1, [(nothing, {})])
    assert (made["ratios"], made["figures"]) == ([], [])
    text = markdown(machine, made)
    assert "|" not in text
    assert text.endswith("* gpu, GPU: no GPU was found\n")
