"""What the figures were measured on."""

import dataclasses
import importlib.metadata
import importlib.util
import json
import os
import platform
import subprocess
import sys

from msw2.system.cores import cores

NOT_INSTALLED = "not installed"
QUESTION = """
import json, keras, numpy, tensorflow as tf
gpus = [tf.config.experimental.get_device_details(each).get("device_name", each.name)
        for each in tf.config.list_physical_devices("GPU")]
print(json.dumps({"gpus": gpus, "versions": {
    "TensorFlow": tf.__version__, "Keras": keras.__version__, "NumPy": numpy.__version__}}))
"""


@dataclasses.dataclass(frozen=True)
class Machine:
    """What of the machine matters to speed.

    Attributes:
        cpu: its model.
        cores: that this process may use.
        memory: bytes.
        gpus: that TensorFlow sees.
        versions: by name; `not installed` for what is not needed and not there.
        load: average number of running processes over the last minute, before anything is measured.
    """

    cpu: str
    cores: int
    memory: int
    gpus: tuple[str, ...]
    versions: dict[str, str]
    load: float

    @classmethod
    def here(cls) -> "Machine":
        """Returns this machine. TensorFlow is asked in a process of its own: the parent has none.

        Raises:
            OSError: if it does not start.
        """
        load = os.getloadavg()[0]
        # What TensorFlow says at its start is no news.
        asked = subprocess.run([sys.executable, "-c", QUESTION], capture_output=True, text=True, check=False)
        if asked.returncode:
            raise OSError(f"TensorFlow does not start: {(asked.stderr.splitlines() or ['no message'])[-1]}")
        answer = json.loads(asked.stdout.splitlines()[-1])
        return cls(
            cpu=_cpu(),
            cores=cores(),
            memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
            gpus=tuple(answer["gpus"]),
            versions={
                "Python": platform.python_version(),
                **answer["versions"],
                "PyTorch": _version("torch"),
                "pretty_midi": _version("pretty_midi"),
            },
            load=load,
        )

    def has(self, name: str) -> bool:
        """Returns whether a package that is not needed is there, by its name in `versions`."""
        return self.versions[name] != NOT_INSTALLED

    def described(self) -> str:
        """Returns the machine in one line, without its load, to keep with a run."""
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        parts = [
            f"{self.cores} core{'s' * (self.cores != 1)} of {self.cpu}",
            f"{self.memory / 2**30:.0f} GiB",
            *self.gpus,
        ]
        return f"{', '.join(parts)}; {versions}"

    def lines(self) -> list[str]:
        """Returns what to print."""
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        return [
            f"{self.cpu}, {self.cores} cores usable, {self.memory / 2**30:.1f} GiB; "
            f"GPU: {', '.join(self.gpus) or 'none'}; load average {self.load:.2f} at the start",
            versions,
        ]


def _version(package: str) -> str:
    if importlib.util.find_spec(package) is None:
        return NOT_INSTALLED
    return importlib.metadata.version(package)


def _cpu() -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()  # 64-bit Arm has no such line
