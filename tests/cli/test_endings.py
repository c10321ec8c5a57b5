"""What follows a training, and what a kill left of it."""

from msw2.cli.endings import end_stage
from msw2.config import SMOKE
from msw2.training.runs import Run


def test_a_training_ends_with_a_picture_and_without_its_state_and_a_killed_one_on_the_next_call(tmp_path):
    run = Run.create(tmp_path / "run", SMOKE)
    stage, picture = "bass_bvae", run.figure("bass_bvae")
    for path, text in ((run.history(stage), "epoch,loss\n1,0.5\n2,0.25\n"), (run.checkpoint(stage), "state")):
        path.parent.mkdir()
        path.write_text(text)
    for trained, before, drawn in ((False, "", True), (False, "there", False), (True, "earlier", True)):
        if before:
            picture.write_text(before)
        run.checkpoint(stage).touch()
        end_stage(run, stage, "BVAE of bass", trained=trained)
        assert not run.checkpoint(stage).exists()
        assert (picture.read_bytes()[:4] == b"\x89PNG") == drawn
        assert run.history(stage).read_text() == "epoch,loss\n1,0.5\n2,0.25\n"


def test_what_has_learnt_nothing_has_no_picture(tmp_path):
    run = Run.create(tmp_path / "run", SMOKE)
    end_stage(run, "bass_refiner", "refiner of bass", trained=True)
    assert sorted(path.name for path in run.path.iterdir()) == ["config.json", "flags.txt"]
