"""`make serve`: starts TF Serving's official container on the exported model; prints the command where it cannot."""

import os
import pathlib
import shlex
import shutil
import subprocess

from absl import flags

import msw2
from msw2.cli.launch import OptionError, launch
from msw2.inference.places import PACKAGED, home_of

IMAGE = "tensorflow/serving:2.19.1"
INSIDE = "/models/msw2"  # where the container looks for the model MODEL_NAME=msw2
MONITORING = pathlib.Path(msw2.__file__).with_name("serving") / "monitoring.config"
MONITORING_INSIDE = "/etc/msw2-monitoring.config"
DOCKER_ANSWERS = 20.0  # seconds


def define_flags() -> None:
    """Defines the command's flags."""
    flags.DEFINE_string(
        "run",
        PACKAGED[0],
        f"What was exported: {' or '.join(PACKAGED)}, a run's directory, or a .keras file.",
    )
    flags.DEFINE_string(
        "host", "127.0.0.1", "Address to listen on; 0.0.0.0: all of this machine, for everyone."
    )
    flags.DEFINE_integer("port", 8501, "Port of the REST interface.", lower_bound=1, upper_bound=65535)
    flags.DEFINE_integer("grpc_port", 8500, "Port of the gRPC interface.", lower_bound=1, upper_bound=65535)
    flags.DEFINE_list("server_flags", [], "Flags for the server; those behind a lone -- are, too.")


def main() -> None:
    """Becomes `docker run`, where Docker works; otherwise prints the command, and ends with status 1."""
    values = flags.FLAGS
    folder = os.path.abspath(home_of(values.run) / "export" / "msw2")
    if not _versions(folder):
        raise OptionError(f"no exported model in {folder}: run `make export` first")
    if "," in folder:
        raise OptionError(f"Docker cannot bind {folder}: a comma is in its name")
    command = docker_command(folder)
    problem = _docker_problem()
    print("where Docker is there, run:" if problem else "starting:")
    print(shlex.join(command), flush=True)
    if problem:
        raise OptionError(f"nothing is served: {problem}")
    os.execvp(command[0], command)


def docker_command(folder: str) -> list[str]:
    """Returns the command that serves a folder of versions, as the flags say."""
    values = flags.FLAGS
    host = f"[{values.host}]" if ":" in values.host else values.host  # IPv6
    return [
        *("docker", "run", "--rm"),
        *("-p", f"{host}:{values.port}:8501", "-p", f"{host}:{values.grpc_port}:8500"),
        *("--mount", f"type=bind,source={folder},target={INSIDE},readonly"),
        *("--mount", f"type=bind,source={MONITORING},target={MONITORING_INSIDE},readonly"),
        *("-e", "MODEL_NAME=msw2", IMAGE, f"--monitoring_config_file={MONITORING_INSIDE}"),
        *values.server_flags,
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
    launch(define_flags, main, positional="server_flags")
