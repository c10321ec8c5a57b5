"""`make serve`: starts TF Serving's official container on the exported model, or prints how to."""

import os
import shlex
import shutil
import subprocess

from absl import flags

from msw2.cli.launch import OptionError, launch
from msw2.inference.places import PACKAGED, home_of

IMAGE = "tensorflow/serving"
INSIDE = "/models/msw2"  # where the container looks for the model MODEL_NAME=msw2
DOCKER_ANSWERS = 20.0  # seconds


def define_flags() -> None:
    """Defines the command's flags."""
    flags.DEFINE_string(
        "run",
        PACKAGED[0],
        f"What was exported: {' or '.join(PACKAGED)}, a run's directory, or a .keras file.",
    )
    flags.DEFINE_integer("port", 8501, "Port of the REST interface.", lower_bound=1, upper_bound=65535)
    flags.DEFINE_integer("grpc_port", 8500, "Port of the gRPC interface.", lower_bound=1, upper_bound=65535)


def main() -> None:
    """Becomes `docker run`, where Docker works; otherwise prints the command and why."""
    values = flags.FLAGS
    folder = os.path.abspath(home_of(values.run) / "export" / "msw2")
    if not _versions(folder):
        raise OptionError(f"no exported model in {folder}: run `make export` first")
    command = docker_command(folder, values.port, values.grpc_port)
    problem = _docker_problem()
    print(f"{problem}; where Docker is there, run:" if problem else "starting:")
    print(shlex.join(command), flush=True)
    if not problem:
        os.execvp(command[0], command)


def docker_command(folder: str, port: int, grpc_port: int) -> list[str]:
    """Returns the command that serves a folder of versions."""
    return [
        *("docker", "run", "--rm", "-p", f"{port}:8501", "-p", f"{grpc_port}:8500"),
        *("--mount", f"type=bind,source={folder},target={INSIDE},readonly"),
        *("-e", "MODEL_NAME=msw2", IMAGE),
    ]


def _versions(folder: str) -> list[str]:
    names = os.listdir(folder) if os.path.isdir(folder) else []
    return [name for name in names if name.isdigit() and os.path.exists(f"{folder}/{name}/saved_model.pb")]


def _docker_problem() -> str:
    """Returns why Docker cannot be used, or nothing."""
    if not shutil.which("docker"):
        return "docker is not installed"
    try:
        done = subprocess.run(
            ["docker", "info"], capture_output=True, text=True, check=False, timeout=DOCKER_ANSWERS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"docker does not work ({error})"
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
        return f"docker does not work ({last})"
    return ""


if __name__ == "__main__":
    launch(define_flags, main)
