"""A Ray cluster of several nodes on this machine, for tests: they start nodes, kill them, and leave nothing running."""

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

PATIENCE = 120.0  # seconds for a node to start on a busy machine
TRIES = 4  # Ray itself waits for a node for 30 seconds
SMALL = str(100 * 2**20)  # bytes of a node's object store; Ray wants 75 MiB at least


class Nodes:
    """Nodes that this process has started: a head without cores, and others with one core each."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="msw2-ray-"))  # a short path: sockets lie in it
        self._started: list[subprocess.Popen] = []
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = f"127.0.0.1:{port}"
        head = ["--head", f"--port={port}", f"--temp-dir={self.folder}", "--include-dashboard=false"]
        self._start(*head, "--num-cpus=0")

    def add(self) -> None:
        """Starts a node with one core."""
        self._start(f"--address={self.address}", "--num-cpus=1")

    def kill(self, pid: int) -> None:
        """Kills the node that a process runs on, with SIGKILL: its raylet, which its workers do not outlive."""
        while "raylet" not in (name := _status(pid)["Name"]):
            assert name != "systemd" and pid > 1, "the process is not one of Ray's"
            pid = int(_status(pid)["PPid"])
        os.kill(pid, signal.SIGKILL)

    def close(self) -> None:
        """Ends all nodes, and removes what they left."""
        own = [pid for process in self._started for pid in _family(process.pid)]
        for process in reversed(self._started):
            process.terminate()
        for process in self._started:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
        for pid in own:
            if str(self.folder).encode() in _words(pid) or pid in [each.pid for each in self._started]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        for process in self._started:
            process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self, *arguments: str) -> None:
        for _ in range(TRIES):
            log = self.folder / f"start-{len(self._started)}.log"
            command = [sys.executable, "-m", "ray.scripts.scripts", "start", *arguments, "--block"]
            command += ["--disable-usage-stats", f"--object-store-memory={SMALL}"]
            with log.open("w") as file:
                self._started.append(subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT))
            until = time.monotonic() + PATIENCE
            while self._started[-1].poll() is None and time.monotonic() < until:
                if "Ray runtime started" in log.read_text("utf-8", "replace"):
                    return
                time.sleep(0.1)
            if "timed out during startup" not in log.read_text("utf-8", "replace"):
                break
        raise AssertionError(log.read_text("utf-8", "replace"))


def _status(pid: int) -> dict[str, str]:
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _words(pid: int) -> bytes:
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def _family(pid: int) -> list[int]:
    """Returns a process and all that it has started, directly or not."""
    found = [pid]
    with contextlib.suppress(OSError):
        for thread in pathlib.Path(f"/proc/{pid}/task").iterdir():
            for child in (thread / "children").read_text().split():
                found += _family(int(child))
    return found
