"""The images of the tests: ours from this checkout, and stand-ins for the official ones, which no registry gives here.

An image is built when what it is made from has changed: a hash of that is its label.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from tests.e2e.engine import Engine

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "infra" / "docker" / "Dockerfile"
STANDINS = Path(__file__).parent / "standins"
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "infra" / "compose.yaml").read_text(encoding="utf-8"))
OURS: str = COMPOSE["services"]["server"]["image"]
PYTHON = "docker.io/library/" + re.findall(r"python:\d\S+", DOCKERFILE.read_text(encoding="utf-8"))[0]
SUITE = "trixie"
PACKAGES = "ca-certificates,python3,python3-pip,python3-venv"
# What the official slim images leave out, too.
LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*")
LABEL = "relance.made-from"
BUILD_S = 900.0


def make_python(engine: Engine) -> None:
    """Make Debian with its own Python under the name of the official image."""
    made_from = digest([SUITE, PACKAGES, *LEFT_OUT])
    if is_made(engine, PYTHON, made_from):
        return
    sites = engine.run("apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages").stdout.split()
    mirror = [site for site in sites if site.rstrip("/").endswith("/debian")][:1]
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "debian.tar"
        excluded = [f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT]
        # pip of the official image installs anywhere, and its Python is called python.
        hooks = ['--customize-hook=rm "$1"/usr/lib/python3*/EXTERNALLY-MANAGED; ln -s python3 "$1"/usr/bin/python']
        options = ["--quiet", "--variant=minbase", f"--include={PACKAGES}", *excluded, *hooks]
        succeed(engine, "mmdebstrap", *options, SUITE, tree, *mirror)
        path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        changes = ["--change", f"ENV {path}", "--change", f"LABEL {LABEL}={made_from}"]
        engine.podman("import", "--quiet", *changes, tree, PYTHON)


def make_relance(engine: Engine) -> None:
    """Build our image as its Dockerfile says."""
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE.read_text(encoding="utf-8"), re.MULTILINE)
    sources = [ROOT / name for line in copied for name in line.split()]
    build(engine, OURS, [DOCKERFILE, ROOT / ".dockerignore", *sources], "--file", DOCKERFILE, ROOT)


def make_standins(engine: Engine) -> None:
    """Build PostgreSQL, Redis and what answers for MinIO under the names in compose.yaml."""
    for service, stage in {"postgres": "postgres", "redis": "redis", "minio": "minio", "buckets": "mc"}.items():
        name = COMPOSE["services"][service]["image"]
        full = f"docker.io/{name}" if "/" in name else f"docker.io/library/{name}"
        build(engine, full, [STANDINS], "--target", stage, STANDINS)


def build(engine: Engine, image: str, sources: Iterable[Path], *arguments: str | Path) -> None:
    """Build an image with buildah, unless there is one that was made from the same."""
    base = engine.podman("image", "inspect", "--format", "{{.Id}}", PYTHON)
    made_from = digest([base, *(part for part in arguments if isinstance(part, str)), *contents(sources)])
    if is_made(engine, image, made_from):
        return
    options = ["--pull-never", "--layers", "--network", "host", "--label", f"{LABEL}={made_from}", "--tag", image]
    succeed(engine, "buildah", "build", *options, *host_settings(), *arguments)
    # Layers of builds long ago.
    engine.podman("image", "prune", "--force", "--filter", "until=72h")


def host_settings() -> list[str]:
    """Let pip and uv of a build reach packages as they do on this machine."""
    options: list[str] = []
    for name in ("PIP_CERT", "SSL_CERT_FILE"):
        if path := os.environ.get(name):
            inside = f"/run/host/{name}"
            options += ["--volume", f"{Path(path).resolve()}:{inside}:ro", "--build-arg", f"{name}={inside}"]
    for name in ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX"):
        if value := os.environ.get(name):
            options += ["--build-arg", f"{name}={value}"]
    return options


def is_made(engine: Engine, image: str, made_from: str) -> bool:
    label = f'{{{{index .Labels "{LABEL}"}}}}'
    return engine.run("podman", "image", "inspect", "--format", label, image).stdout.strip() == made_from


def contents(sources: Iterable[Path]) -> Iterable[str]:
    """Name and content of every file, in order."""
    for source in sources:
        for path in sorted(source.rglob("*")) if source.is_dir() else [source]:
            if path.is_file() and "__pycache__" not in path.parts:
                yield f"{path.relative_to(ROOT)} {hashlib.sha256(path.read_bytes()).hexdigest()}"


def digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def succeed(engine: Engine, *command: str | Path) -> None:
    done = engine.run(*command, timeout=BUILD_S)
    assert done.returncode == 0, f"{command[0]} failed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
