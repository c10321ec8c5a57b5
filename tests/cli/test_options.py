import dataclasses
import functools
import io
import json
import sys
import types

import pytest
import tensorflow as tf
from absl import flags

from msw2.cli import clusters, endings, finetune, jobs, options, refine, side_by_side, stage1, stage2
from msw2.cli.launch import OptionError, launch
from msw2.config import CHOICES, PAPER, PRESETS, RELEASED, TUNED, Config, adapting
from msw2.data.store import StoreError
from msw2.system import children
from msw2.system.owners import Owner
from msw2.system.progress import MARK, REPORTING, Board
from msw2.training.device import resolved_precision
from msw2.training.jobs import ALONE, Job
from msw2.training.runs import Run, RunError

ALL = len(dataclasses.fields(Config))
FAR = sum(getattr(TUNED, field.name) != getattr(PAPER, field.name) for field in dataclasses.fields(Config))
REASONS = "fields differ from the paper's; msw2/config/presets.py has the reasons; float32"


@pytest.fixture
def parse(monkeypatch):
    """Returns a function (*arguments) -> flags of a training command, apart from this process's own."""

    def parsed(*arguments):
        values = flags.FlagValues()
        own = {name: getattr(flags, name) for name in dir(flags) if name.startswith("DEFINE_")}
        apart = {name: functools.partial(define, flag_values=values) for name, define in own.items()}
        for module in (options, clusters, jobs, side_by_side):
            monkeypatch.setattr(module, "flags", types.SimpleNamespace(FLAGS=values, **apart))
        options.define_training()
        options.define_track()
        clusters.define_cluster()
        values(["program", *arguments])
        return values

    return parsed


def resolved(config):
    """The config as a run of this machine has it."""
    return dataclasses.replace(config, precision=resolved_precision(config.precision))


def test_without_a_word_the_run_is_tuned(parse, tmp_path):
    parse(f"--run={tmp_path / 'run'}")
    run = options.training_run()
    assert run.config == resolved(TUNED)
    assert Run.open(tmp_path / "run").config == resolved(TUNED)
    assert parse()["run"].value == "runs/tuned"


def test_a_preset_and_flags_that_override_it(parse, tmp_path):
    parse(
        f"--run={tmp_path}", "--preset=released", "--bvae_hidden=7", "--position", "--nooutput_bias",
        "--learning_rate=0.5", "--gates=sigmoid", "--seed=3", "--bvae_kl=0",
    )  # fmt: skip
    expected = dataclasses.replace(
        RELEASED, bvae_hidden=7, position=True, learning_rate=0.5, gates="sigmoid", seed=3, bvae_kl=0.0
    )
    assert options.training_run().config == resolved(expected)


def test_every_field_has_a_flag_without_a_value_of_its_own(parse):
    values = parse()
    for field in dataclasses.fields(Config):
        assert values[field.name].value is None
        value = getattr(PAPER, field.name)
        given = parse(f"--{field.name}={str(value).lower() if field.type is bool else value}")[
            field.name
        ].value
        assert given == value
        assert type(given) is field.type
    for name, allowed in CHOICES.items():
        with pytest.raises(flags.IllegalFlagValueError, match=f"--{name}=.*{'|'.join(allowed)}"):
            parse(f"--{name}=other")


def test_the_runs_own_config_holds_where_no_preset_is_given(parse, tmp_path):
    parse(f"--run={tmp_path}", "--preset=paper", "--bvae_latent=9")
    made = options.training_run().config
    parse(f"--run={tmp_path}")
    assert options.training_run().config == made == resolved(dataclasses.replace(PAPER, bvae_latent=9))
    parse(f"--run={tmp_path}", "--bvae_latent=9")
    assert options.training_run().config == made


def test_what_does_not_fit_the_run_is_refused(parse, tmp_path):
    parse(f"--run={tmp_path}", "--preset=paper")
    options.training_run()
    before = (tmp_path / "config.json").read_bytes()
    parse(f"--run={tmp_path}", "--bvae_latent=9")
    with pytest.raises(RunError, match=rf"^the run {tmp_path} was made with bvae_latent 64 \(not 9\): "):
        options.training_run()
    parse(f"--run={tmp_path}", "--preset=tuned")
    with pytest.raises((OptionError, RunError), match=rf"^the run {tmp_path} was made with .*another run$"):
        options.training_run()
    assert (tmp_path / "config.json").read_bytes() == before


def test_a_value_out_of_range_is_refused_before_a_run_is_made(parse, tmp_path):
    parse(f"--run={tmp_path / 'run'}", "--batch_size=0")
    with pytest.raises(OptionError, match=r"^batch_size 0 is out of range: at least 1$"):
        options.training_run()
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("command", [stage1, refine, stage2, finetune])
def test_without_a_store_no_run_is_made(parse, tmp_path, command):
    parse(f"--run={tmp_path / 'run'}", f"--store={tmp_path / 'store'}", "--track=bass")
    with pytest.raises(StoreError, match=rf"^no store at {tmp_path / 'store'}: make one with `make data`"):
        command.main()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [stage1, refine])
@pytest.mark.parametrize("strategy", ["mirrored", "multiworker"])
def test_a_cluster_has_one_device_a_track(parse, tmp_path, command, strategy):
    parse(f"--run={tmp_path / 'run'}", "--cluster=auto", f"--strategy={strategy}")
    expected = f"^--cluster trains each track on one device, --strategy={strategy} on several: leave out one of them$"
    with pytest.raises(OptionError, match=expected):
        command.main()
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def taking(parse, tmp_path, monkeypatch):
    """Returns a function (*arguments) -> a run bound to a store that is not looked at, as tiny runs need none."""
    monkeypatch.setattr(options, "check_fit", lambda run, store: (run.path / "data.json").write_text(store))

    def bound(name, *arguments, store='{"store": "a", "digest": "one"}'):
        parse(f"--run={tmp_path / name}", *arguments)
        return options.bound_run(store)

    return bound


def test_a_training_removes_locks_and_temporary_files_of_killed_ones(taking):
    run, gone = taking("run"), f".msw2-{Owner.me()._replace(begun=1).text()}-0123abcd"
    (run.path / ".bass_bvae.lock").touch()
    (run.path / f"{gone}.txt").touch()
    for folder in ("history", "weights/finetuned"):
        (run.path / folder).mkdir(parents=True)
        (run.path / folder / f"{gone}.png").touch()
    assert taking("run") == run
    left = sorted(str(path.relative_to(run.path)) for path in run.path.rglob("*") if path.is_file())
    assert left == ["config.json", "data.json", "flags.txt"]


def pretend(run, *parts):
    for part in parts:
        run.weights(part).parent.mkdir(exist_ok=True)
        run.weights(part).write_text(f"{part} of {run.path.name}")


def test_parts_are_taken_over_from_the_runs_that_are_named_in_their_order(taking, tmp_path, capsys):
    pretend(taking("a", "--refine_epochs=9"), "drums_encoder", "drums_decoder", "drums_refiner")
    pretend(taking("b"), "drums_encoder", "drums_decoder", "bass_encoder", "bass_decoder")
    pretend(taking("c", store='{"store": "b", "digest": "other"}'), "piano_encoder", "piano_decoder")
    names = [str(tmp_path / name) for name in "cab"]
    run = taking("run", f"--take_over={','.join(names)}")
    assert {path.name.split(".")[0]: path.read_text() for path in run.path.glob("weights/*")} == {
        "drums_encoder": "drums_encoder of a",
        "drums_decoder": "drums_decoder of a",
        "bass_encoder": "bass_encoder of b",
        "bass_decoder": "bass_decoder of b",
    }
    said = capsys.readouterr().out.splitlines()
    assert said[-3:] == [
        options.introduction(run),
        f"taken over from {names[1]}: drums_bvae",
        f"taken over from {names[2]}: bass_bvae",
    ]
    taking("run", f"--take_over={','.join(names)}")
    assert capsys.readouterr().out.splitlines() == [options.introduction(run)]
    assert Run.open(run.path).config == resolved(TUNED)  # it is no part of what a run is


def test_a_run_to_take_over_from_that_is_not_there_makes_none(taking, tmp_path):
    pretend(taking("a"), "drums_encoder", "drums_decoder")
    with pytest.raises(RunError, match=rf"^no run at {tmp_path / 'b'}: "):
        taking("run", f"--take_over={tmp_path / 'a'},{tmp_path / 'b'}")
    assert not (tmp_path / "run").exists()


def test_a_run_from_trained_weights_has_their_config_with_lower_rates(parse, tmp_path, smoke_run):
    parse(f"--run={tmp_path / 'run'}", f"--from={smoke_run.path}", "--mfg_epochs=9")
    run = options.training_run()
    expected = dataclasses.replace(adapting(smoke_run.config), mfg_epochs=9)
    assert run.config == resolved(expected)
    assert run.config.learning_rate < TUNED.learning_rate
    assert run.preset == "smoke"
    sandwich, _ = smoke_run.load_sandwich()
    assert run.begin(sandwich, "drums_encoder", "mfg_decoder")
    assert options.training_run() == run  # the same command again goes on with it


def test_trained_weights_bring_a_config_of_their_own(parse, tmp_path, smoke_run):
    parse(f"--run={tmp_path / 'run'}", f"--from={smoke_run.path}", "--preset=paper")
    with pytest.raises(
        OptionError, match=r"^--from=.* brings a config of its own: leave out the recipe and the preset$"
    ):
        options.training_run()
    parse(f"--run={tmp_path / 'run'}", f"--from={tmp_path / 'none'}")
    with pytest.raises(RunError, match=r"^no run at .*none: "):
        options.training_run()
    assert not (tmp_path / "run").exists()


def test_tracks(parse):
    parse()
    assert options.chosen_tracks() == ("drums", "piano", "guitar", "bass", "strings")
    parse("--track=bass")
    assert options.chosen_tracks() == ("bass",)
    parse("--track=drum")
    with pytest.raises(
        OptionError, match=r"^track 'drum' is not one of drums, piano, guitar, bass, strings$"
    ):
        options.chosen_tracks()


def test_a_run_or_store_that_is_not_there(parse, tmp_path):
    parse(f"--run={tmp_path / 'run'}", f"--store={tmp_path / 'store'}")
    with pytest.raises(RunError, match=rf"^no run at {tmp_path / 'run'}: "):
        options.open_run()
    with pytest.raises(StoreError, match=rf"^no store at {tmp_path / 'store'}: "):
        options.open_store()


@pytest.fixture
def device(monkeypatch):
    """Returns a function that sets what `auto` stands for on this machine."""

    def says(precision):
        found = {"auto": precision}
        monkeypatch.setattr(options, "resolved_precision", lambda asked: found.get(asked, asked))

    return says


def test_auto_is_resolved_when_the_run_is_made_and_is_the_runs_from_then_on(parse, tmp_path, device):
    device("mixed_float16")
    parse(f"--run={tmp_path}")
    assert options.training_run().config == dataclasses.replace(TUNED, precision="mixed_float16")
    assert json.loads((tmp_path / "config.json").read_text())["precision"] == "mixed_float16"
    device("float32")  # the run is carried to another machine
    parse(f"--run={tmp_path}")
    assert options.training_run().config.precision == "mixed_float16"
    parse(f"--run={tmp_path}", "--precision=mixed_float16")
    assert options.training_run().config.precision == "mixed_float16"
    for asked in ("float32", "auto"):
        parse(f"--run={tmp_path}", f"--precision={asked}")
        with pytest.raises(RunError) as refused:
            options.training_run()
        assert str(refused.value) == (
            f"the run {tmp_path} was made with precision mixed_float16 (not float32): "
            "give the same flags, or another run"
        )


@pytest.mark.parametrize(
    ("preset", "changes", "words"),
    [
        ("paper", {}, "preset paper, the paper's, field for field; float32"),
        ("paper", {"seed": 9}, "preset paper, the paper's, field for field; float32"),
        (
            "paper",
            {"precision": "mixed_bfloat16"},
            "preset paper, the paper's, field for field; mixed_bfloat16",
        ),
        (
            "paper",
            {"mfg_epochs": 9},
            f"preset paper, 1 of {ALL} {REASONS}",
        ),
        (
            "released",
            {},
            f"preset released, 6 of {ALL} {REASONS}",
        ),
        (
            "tuned",
            {},
            f"preset tuned, {FAR} of {ALL} {REASONS}",
        ),
        (
            "tuned",
            {"gates": "hard_sigmoid", "sigma": "multiplier", "seed": 3},
            f"preset tuned, {FAR + 2} of {ALL} {REASONS}",
        ),
        ("", {}, "preset unknown, the paper's, field for field; float32"),
    ],
)
def test_a_training_says_which_recipe_it_is_and_how_far_from_the_paper(tmp_path, preset, changes, words):
    config = dataclasses.replace(PRESETS[preset or "paper"], **{"precision": "float32"} | changes)
    assert options.introduction(Run(tmp_path, config, preset)) == f"{tmp_path}: {words}"


class Process:
    """A process that ends with a status after some polls."""

    running = 0
    most = 0
    stderr = ()

    def __init__(self, status, polls):
        self.status, self.polls, self.terminated = status, polls, False
        Process.running += 1
        Process.most = max(Process.most, Process.running)

    def poll(self):
        self.polls -= 1
        if self.polls:
            return None
        Process.running -= 1
        return self.status

    def terminate(self):
        self.terminated = True

    def wait(self):
        pass


@pytest.fixture
def started(monkeypatch):
    """Lets side_by_side start processes of the given (status, polls), and keeps their command lines."""
    record = types.SimpleNamespace(commands=[], processes=[], plan={})
    Process.running = Process.most = 0

    def start(command, **kwargs):
        track = next(argument for argument in command if argument.startswith("--track="))[len("--track=") :]
        assert kwargs["env"][REPORTING]
        assert (kwargs["text"], kwargs["errors"]) == (True, "replace")
        record.commands.append(command)
        record.processes.append(Process(*record.plan.get(track, (0, 2))))
        return record.processes[-1]

    monkeypatch.setattr(children.subprocess, "Popen", start)
    monkeypatch.setattr(side_by_side, "cores", lambda: 2)
    monkeypatch.setattr(side_by_side, "POLL", 0.0)
    return record


def test_tracks_are_trained_side_by_side_with_the_flags_that_were_given(parse, started):
    parse("--run=a b", "--store=s", "--bvae_hidden=7", "--noposition", "--preset=paper")
    started.plan = {"drums": (0, 9)}
    side_by_side.train("stage1", ["drums", "piano", "bass", "strings"])
    assert Process.most == 3  # strings beside the other two, rather than alone
    assert [command[:3] for command in started.commands] == [[sys.executable, "-m", "msw2.cli.stage1"]] * 4
    tracks = [argument for command in started.commands for argument in command if "--track" in argument]
    assert tracks == ["--track=drums", "--track=piano", "--track=bass", "--track=strings"]
    for command in started.commands:
        given = set(command[3:])
        assert {"--run=a b", "--store=s", "--bvae_hidden=7", "--noposition", "--preset=paper"} < given
        assert {argument.split("=")[0] for argument in given} == {
            "--run", "--store", "--bvae_hidden", "--noposition", "--preset", "--track", "--threads"
        }  # fmt: skip
        assert "--threads=1" in given


def test_the_last_track_starts_beside_those_that_run(parse, started):
    parse()
    started.plan = {"drums": (0, 1), "piano": (0, 5), "guitar": (0, 9), "bass": (0, 9), "strings": (0, 9)}
    side_by_side.train("stage1", ["drums", "piano", "guitar", "bass", "strings"])
    assert Process.most == 3  # guitar for drums, then bass for piano and strings beside the two
    assert len(started.processes) == 5


def test_a_track_that_fails_is_named_and_the_others_are_stopped(parse, started):
    parse()
    started.plan = {"drums": (0, 99), "piano": (3, 2)}
    with pytest.raises(OptionError, match=r"^training piano ended with status 3"):
        side_by_side.train("refine", ["drums", "piano", "bass"])
    assert started.processes[0].terminated


def test_what_the_tracks_report_is_on_one_board(parse, started, monkeypatch):
    parse()
    log = io.StringIO()
    monkeypatch.setattr(side_by_side, "Board", functools.partial(Board, stream=log))
    report = {"label": "x", "done": 1, "total": 4, "note": "", "left": 9.0}
    torn = f"{MARK}{{"
    monkeypatch.setattr(Process, "stderr", (f"{MARK}{json.dumps(report)}\n", f"{torn}\n", "a line\n"))
    side_by_side.train("refine", ["drums", "bass"])
    lines = log.getvalue().splitlines()
    for track in ("drums", "bass"):
        assert lines.count(f"{track}: a line") == lines.count(f"{track}: {torn}") == 1
    assert lines[-1] == "refine: drums done, bass done, about 0:00 left"


class Task:
    """A command on a cluster: says a line, and ends when it is asked for the second time."""

    def __init__(self, hear, status):
        self._hear, self._answers, self.stopped = hear, [None, status], False

    def status(self):
        self._hear("a line")
        return self._answers.pop(0) if self._answers else 0

    def stop(self):
        self.stopped = True


@pytest.mark.parametrize(
    ("flag", "sizes", "threads"),
    [((), (2, 1), 1), ((), (40, 8), 8), ((), (17, 16), 3), ((), (60, 8), 8), (("--threads=4",), (9, 4), 4)],
)
def test_a_cluster_has_all_tracks_at_once_and_shares_its_cores(parse, started, flag, sizes, threads):
    parse("--run=a b", *flag)
    commands = []

    def command(module, arguments, hear, *, threads):
        commands.append((module, arguments, threads))
        return Task(hear, 0)

    cluster = types.SimpleNamespace(cores=sizes[0], largest=sizes[1], command=command)
    side_by_side.train("stage1", ["drums", "piano", "guitar", "bass", "strings"], cluster)
    assert started.commands == []
    assert [module for module, *_ in commands] == ["msw2.cli.stage1"] * 5
    for track, (_, arguments, asked) in zip(
        ("drums", "piano", "guitar", "bass", "strings"), commands, strict=True
    ):
        assert arguments[-2:] == [f"--track={track}", f"--threads={threads}"]
        assert "--run=a b" in arguments
        assert asked == threads


def test_a_track_that_fails_on_a_cluster_is_named_and_the_others_are_stopped(parse, started):
    parse()
    tasks = []

    def command(module, arguments, hear, *, threads):
        tasks.append(Task(hear, 3 * ("--track=piano" in arguments)))
        return tasks[-1]

    cluster = types.SimpleNamespace(cores=2, largest=1, command=command)
    with pytest.raises(OptionError, match=r"^training piano ended with status 3; see above$"):
        side_by_side.train("refine", ["drums", "piano", "bass"], cluster)
    assert [task.stopped for task in tasks] == [False, True, True]
    parse("--threads=2")
    with pytest.raises(OptionError, match=r"^--threads=2, but the largest node of the cluster has 1 cores$"):
        side_by_side.train("refine", ["drums"], cluster)


def test_nothing_left_to_train_starts_nothing(parse, started):
    parse()
    side_by_side.train("stage1", [])
    assert started.commands == []


@pytest.fixture
def chosen(parse, started, tmp_path, monkeypatch):
    """Returns a function that trains the chosen tracks by `train_chosen`; in this process, as (track, history)."""
    monkeypatch.setattr(side_by_side, "epoch_steps", lambda run, store: 50)
    run, drawn = Run.create(tmp_path / "run", TUNED), []
    monkeypatch.setattr(endings, "draw_curves", lambda path, curves: drawn.append((path, curves)))

    def fit(run, store, track, job):
        assert (store, job) == ("store", fit.job)
        fit.tracks.append(track)
        if track != "bass":  # had nothing to learn
            run.history(f"{track}_refiner").parent.mkdir(exist_ok=True)
            run.history(f"{track}_refiner").write_text("epoch,loss\n1,0.5\n")
        return True

    def train(tracks, *, epochs, trained=(), job=ALONE, run=run):
        parse("--run=a b", "--take_over=c,d", "--refine_epochs=3")
        pretend(run, *(f"{track}_refiner" for track in trained))
        fit.tracks, fit.job = [], job
        side_by_side.train_chosen(
            side_by_side.Opened(tracks, "store", run, job), "refine", fit, kind="refiner", name="refine network",
            parts=lambda track: [f"{track}_refiner"], epochs=epochs,
        )  # fmt: skip
        return fit.tracks

    train.run, train.drawn = run, drawn
    return train


def test_short_trainings_follow_one_another_in_this_process(chosen, started):
    tracks = ("drums", "guitar", "bass", "piano")
    assert chosen(tracks, epochs=9, trained=["guitar"]) == ["drums", "bass", "piano"]  # 450 steps
    assert started.commands == []
    assert [path for path, _ in chosen.drawn] == [
        chosen.run.path / "history" / f"{track}_refiner.png" for track in ("drums", "piano")
    ]
    assert [list(curves) for _, curves in chosen.drawn] == [
        ["refine network of drums"], ["refine network of piano"]
    ]  # fmt: skip
    assert chosen(tracks, epochs=0) == ["drums", "bass", "piano"]


def test_long_trainings_have_processes_of_their_own(chosen, started):
    assert chosen(("drums", "guitar", "bass"), epochs=10, trained=["guitar"]) == []  # 500 steps
    assert [command[2] for command in started.commands] == ["msw2.cli.refine"] * 2
    for track, command in zip(("drums", "bass"), started.commands, strict=True):
        assert {"--run=a b", "--take_over=c,d", "--refine_epochs=3", f"--track={track}"} < set(command)


def test_devices_that_train_together_train_one_track_after_another(chosen, started):
    job = Job(tf.distribute.get_strategy())
    assert chosen(("drums", "guitar", "piano"), epochs=10, job=job) == ["drums", "guitar", "piano"]
    assert started.commands == []
    assert len(chosen.drawn) == 3


def test_a_helper_draws_nothing(chosen):
    reading = dataclasses.replace(chosen.run, writes=False)
    assert chosen(("drums",), epochs=1, run=reading) == ["drums"]
    assert chosen.drawn == []


def test_a_track_that_alone_is_left_is_trained_in_this_process(chosen, started):
    assert chosen(("drums", "guitar"), epochs=1000, trained=["guitar"]) == ["drums"]
    assert chosen(("piano",), epochs=1000) == ["piano"]
    assert started.commands == []


def test_what_is_trained_is_not_trained_again(chosen, started, capsys):
    assert chosen(("drums",), epochs=1000, trained=["drums"]) == []
    assert capsys.readouterr().out == "drums: the refine network is trained already\n"
    assert chosen(("drums", "bass"), epochs=1000, trained=["bass"]) == []
    assert started.commands == chosen.drawn == []


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OptionError("this and that"), "error: this and that"),
        (RunError("no run"), "error: no run"),
        (
            OSError(28, "No space left on device"),
            "error: the disk is full: make room, and the same command goes on",
        ),
    ],
)
def test_a_users_error_is_one_sentence_and_a_bug_is_not_hidden(monkeypatch, error, message):
    def fails(kind):
        def main():
            raise kind

        return main

    monkeypatch.setattr("msw2.cli.launch.app.run", lambda main: main(["program"]))
    with pytest.raises(SystemExit) as ended:
        launch(lambda: None, fails(error), RunError)
    assert ended.value.code == message  # which Python prints on stderr, with status 1
    with pytest.raises(ZeroDivisionError):
        launch(lambda: None, fails(ZeroDivisionError()), RunError)


def test_words_that_are_no_options_are_refused(monkeypatch):
    monkeypatch.setattr("msw2.cli.launch.app.run", lambda main: main(["program", "drums"]))
    with pytest.raises(SystemExit) as ended:
        launch(lambda: None, lambda: None)
    assert ended.value.code == "error: unexpected 'drums': options begin with --"


def test_one_process_at_a_time_writes_to_a_folder(tmp_path):
    folder = tmp_path / "samples" / "generated"
    with options.writing(folder):
        with (
            pytest.raises(
                OptionError, match=rf"^process \d+ on \S+ is writing to {folder}: wait for it to end$"
            ),
            options.writing(folder),
        ):
            pass
        with options.writing(folder.with_name("restored")):
            pass
    assert list(folder.parent.iterdir()) == []
