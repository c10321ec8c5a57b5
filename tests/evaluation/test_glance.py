from msw2.evaluation import glance
from msw2.evaluation.results import Estimate, Key

NAMES = ("drums", "piano", "guitar", "bass", "strings")


def of(row, metric, **means):
    return {
        Key(row, metric, "correct", track): Estimate(mean, mean - 1, mean + 1)
        for track, mean in means.items()
    }


ESTIMATES = {
    **of("dataset", "cells", **dict(zip(NAMES, (1, 20.25, 300, 4.04, 5), strict=True))),
    **of("dataset", "nearest_median", all=0.656),
    **of("dataset", "nearest_5", all=0.5),
    **of("dataset", "near_copies", all=0.0),
    **of("MSG2", "cells", **dict(zip(NAMES, (6, 7, 8, 9, 10), strict=True))),
    **of("MSG2", "nearest_median", all=0.125),
    **of("MSG2", "near_copies", all=0.0625),
    **of("MSR", "bars_kept", drums=0.995, piano=0.5),
    **of("MSR-train", "F1", **dict(zip((*NAMES, "mean"), (0.9, 0.8, 0.7, 0.6, 0.5, 0.7), strict=True))),
    **of("MSR", "F1", **dict(zip((*NAMES, "mean"), (0.5, 0.4, 0.3, 0.25, 0.125, 0.315), strict=True))),
    **of("MSR", "F1_notes", **dict(zip((*NAMES, "mean"), (0.25, 0.2, 0.1, 0.05, 0.5, 0.22), strict=True))),
    **of("MSR", "notes_made", **dict(zip((*NAMES, "mean"), (1, 0.75, 1.5, 0.5, 1.25, 1), strict=True))),
    **of("MSR-train", "bars_exact", **dict(zip((*NAMES, "mean"), (0.5, 0.5, 0, 0, 1, 0.4), strict=True))),
    **of("MSR-train", "precision_notes", mean=0.9),
    **of("dataset", "note_length", **dict(zip(NAMES[1:], (8, 6.25, 12, 4), strict=True))),
    **of("MSG2", "note_length", **dict(zip(NAMES[1:], (9, 7, 13, 5), strict=True))),
    **of("MSG2", "bar_repeats", **dict(zip(NAMES, (0.5, 0.25, 0, 1, 0.125), strict=True))),
    **of("MSR", "note_length", **dict(zip(NAMES[1:], (9, 7, 13, 5), strict=True))),
    **of("MSR", "precision", mean=0.9),
    Key("MSG1", "cells", "released", "drums"): Estimate(1, 1, 1),
}


def test_the_lines():
    assert glance.lines(ESTIMATES, "validation") == [
        "                                       drums     piano    guitar      bass   strings      mean",
        "F1 % of notes, validation               25.0      20.0      10.0       5.0      50.0      22.0",
        "notes made / there %, validation       100.0      75.0     150.0      50.0     125.0     100.0",
        "precision % of notes, train                                                               90.0",
        "bars exact %, train                     50.0      50.0       0.0       0.0     100.0      40.0",
        "F1 % of cells, validation               50.0      40.0      30.0      25.0      12.5      31.5",
        "F1 % of cells, train                    90.0      80.0      70.0      60.0      50.0      70.0",
        "note length in steps, dataset                      8.0       6.2      12.0       4.0",
        "note length in steps, MSG2                         9.0       7.0      13.0       5.0",
        "bars repeated %, MSG2                   50.0      25.0       0.0     100.0      12.5",
        "cells a bar, dataset                     1.0      20.2     300.0       4.0       5.0",
        "cells a bar, MSG2                        6.0       7.0       8.0       9.0      10.0",
        "restored drums sound in 99.5 % of the bars in which the original has drums",
        "MSG2: 12.5 % from the nearest training phrase (median), 6.2 % are near copies",
        "dataset: 65.6 % from the nearest training phrase (median), 0.0 % are near copies",
    ]


def test_what_is_shown_is_all_that_the_lines_need():
    shown = glance.shown(ESTIMATES)
    assert glance.lines(shown, "test") == glance.lines(ESTIMATES, "test")
    assert len(shown) == 5 * 6 + 1 + 2 * 4 + 5 + 2 * 5 + 1 + 4
    assert all(ESTIMATES[key] == estimate for key, estimate in shown.items())
