import numpy as np
import pytest
from matplotlib.image import imread

from msw2.evaluation import figures
from msw2.training.runs import RunError


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were saved, to look into."""
    saved = []
    save = figures.save_figure
    monkeypatch.setattr(
        figures, "save_figure", lambda figure, path: (saved.append(figure), save(figure, path))
    )
    return saved


def test_history_is_read_by_column(tmp_path):
    (tmp_path / "history.csv").write_text("epoch,loss,val_loss\n1,0.5,\n2,0.25,0.75\n")
    history = figures.read_history(tmp_path / "history.csv")
    assert list(history) == ["epoch", "loss", "val_loss"]
    assert history["loss"] == [0.5, 0.25]
    assert history["val_loss"] == pytest.approx([np.nan, 0.75], nan_ok=True)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"epoch,loss\n1,0.5\n2\n", "it has 1 cells in line 3; its header has 2"),
        (b"epoch,loss\n1,many\n", "'many' is not a number"),
        (b"\xff", "not text"),
    ],
)
def test_broken_history_is_refused(tmp_path, content, message):
    (tmp_path / "history.csv").write_bytes(content)
    with pytest.raises(RunError, match=rf"^the history .*history\.csv is damaged: {message}$"):
        figures.read_history(tmp_path / "history.csv")


def test_curves_show_training_and_validation_with_a_fitting_scale(tmp_path, drawn):
    histories = {
        "steep": {"loss": [90.0, 9.0, 3.0], "val_loss": [95.0, np.nan, 7.0]},
        "flat": {"loss": [3.0, 2.0], "kl": [5.0, 500.0]},
        "negative": {"loss": [100.0, -1.0]},
        "short": {"loss": [4.0]},
    }
    figures.draw_curves(tmp_path / "curves.png", histories)
    axes = [axis for axis in drawn[0].axes if axis.get_visible()]
    assert [axis.get_title() for axis in axes] == list(histories)
    assert [axis.get_yscale() for axis in axes] == ["log", "linear", "linear", "linear"]
    lines = {line.get_label(): line.get_xydata().tolist() for line in axes[0].get_lines()}
    assert lines == {"training": [[1, 90], [2, 9], [3, 3]], "validation": [[1, 95], [3, 7]]}
    assert [line.get_label() for line in axes[1].get_lines()] == ["training"]
    assert imread(tmp_path / "curves.png").shape == (806, 1716, 4)


def test_several_columns_have_a_row_of_panels_each(tmp_path, drawn):
    histories = {
        "drums": {"loss": [9.0, 1.0], "accuracy": [0.25, 0.5], "val_loss": [8.0, 2.0]},
        "bass": {"loss": [3.0, 0.1], "accuracy": [0.01, 0.75], "val_accuracy": [0.02, 0.5]},
    }
    figures.draw_curves(tmp_path / "curves.png", histories, ("accuracy", "loss"))
    axes = np.array(drawn[0].axes).reshape(2, 2)
    assert [[axis.get_title() for axis in row] for row in axes] == [["drums", "bass"]] * 2
    assert [[axis.get_ylabel() for axis in row] for row in axes] == [["accuracy"] * 2, ["loss"] * 2]
    lines = [[line.get_ydata().tolist() for line in axis.get_lines()] for axis in axes.flat]
    assert lines == [[[0.25, 0.5]], [[0.01, 0.75], [0.02, 0.5]], [[9, 1], [8, 2]], [[3, 0.1]]]
    # A share is read against 0 and 1, however small it was at first.
    assert [axis.get_yscale() for axis in axes.flat] == ["linear", "linear", "linear", "log"]


def test_curves_of_another_column_or_none_at_all(tmp_path, drawn):
    history = {"loss": [1.0], "kl": [5.0, 500.0]}
    figures.draw_curves(tmp_path / "curves.png", {"bass": history}, columns=["kl"])
    assert drawn[0].axes[0].get_lines()[0].get_ydata().tolist() == [5, 500]
    with pytest.raises(ValueError, match="history 'bass' has no column 'val_f1', only loss, kl"):
        figures.draw_curves(tmp_path / "curves.png", {"bass": history}, columns=["loss", "val_f1"])
    with pytest.raises(ValueError, match="no histories were given"):
        figures.draw_curves(tmp_path / "curves.png", {})
