"""podman and buildah with a storage of their own: what they build and run here meets no image of the machine's owner."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

PROGRAMS = ("buildah", "podman", "runc", "mmdebstrap", "iptables")
PARTS = ("netavark", "aardvark-dns", "catatonit")
HEALTH_CHECK_S = 5.0  # `interval` of every health check of compose.yaml


class Engine:
    """Runs podman and buildah; images stay in the folder between runs."""

    def __init__(self, folder: Path) -> None:
        (folder / "networks").mkdir(parents=True, exist_ok=True)
        storage, containers = folder / "storage.conf", folder / "containers.conf"
        storage.write_text(
            f'[storage]\ndriver = "overlay"\ngraphroot = "{folder}/images"\nrunroot = "/run/relance-tests"\n',
            encoding="utf-8",
        )
        # crun fails on hybrid cgroups, and without the limits runc may not set those it inherits.
        containers.write_text(
            '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n'
            '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
            f'[network]\nnetwork_backend = "netavark"\nnetwork_config_dir = "{folder}/networks"\n',
            encoding="utf-8",
        )
        self.environment = os.environ | {
            "CONTAINERS_STORAGE_CONF": str(storage),
            "CONTAINERS_CONF": str(containers),
            "BUILDAH_ISOLATION": "chroot",
        }

    def run(
        self, *command: str | Path, timeout: float = 280, environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command; what it printed is in the answer, whatever its exit code."""
        return subprocess.run(
            [str(part) for part in command],
            env=self.environment | (environment or {}),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def podman(self, *arguments: str | Path) -> str:
        """Run podman; returns what it printed. The test fails with its output if it fails."""
        done = self.run("podman", *arguments)
        assert done.returncode == 0, f"podman {' '.join(map(str, arguments))}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def clear(self) -> None:
        """Remove every container, pod, network, volume and secret; images stay."""
        for arguments in (
            ("pod", "rm", "--all", "--force", "--time", "0"),
            ("rm", "--all", "--force", "--time", "0"),
            ("volume", "rm", "--all", "--force"),
            ("network", "prune", "--force"),
            ("secret", "rm", "--all"),
        ):
            self.podman(*arguments)

    @contextmanager
    def api(self, socket: Path) -> Generator[str]:
        """Offer Docker's API, and carry out health checks, which podman leaves to systemd; yields DOCKER_HOST."""
        ended = threading.Event()

        def check_health() -> None:
            while not ended.wait(HEALTH_CHECK_S):
                waiting = ("--filter", "health=starting", "--filter", "health=unhealthy")
                for container in self.run("podman", "ps", "--quiet", *waiting).stdout.split():
                    self.run("podman", "healthcheck", "run", container)

        address = f"unix://{socket}"
        with socket.with_suffix(".log").open("wb") as log:
            command = ["podman", "system", "service", "--time", "0", address]
            service = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)
            checks = threading.Thread(target=check_health)
            checks.start()
            try:
                while not socket.exists():
                    assert service.poll() is None, socket.with_suffix(".log").read_text(encoding="utf-8")
                    time.sleep(0.1)
                yield address
            finally:
                ended.set()
                checks.join()
                service.terminate()
                service.wait(30)


def find_engine() -> Engine:
    """Return the engine; skip the test, saying why, where containers cannot be built or run."""
    if os.geteuid() != 0:
        pytest.skip("containers are built and run by root here")
    folders = ("/usr/lib/podman", "/usr/libexec/podman", *os.get_exec_path())
    lacking = [name for name in PROGRAMS if shutil.which(name) is None]
    lacking += [name for name in PARTS if not any((Path(folder) / name).exists() for folder in folders)]
    if lacking:
        pytest.skip(f"not installed: {', '.join(lacking)} (Debian packages of these names)")
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Engine(home / "relance-containers")


@contextmanager
def cleared(engine: Engine) -> Generator[Engine]:
    """Begin and end with nothing but images, also after a failure or a kill."""
    engine.run("buildah", "rm", "--all")
    engine.clear()
    try:
        yield engine
    finally:
        with suppress(subprocess.TimeoutExpired):
            engine.clear()
