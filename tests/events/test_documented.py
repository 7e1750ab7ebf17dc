"""What docs/events.md shows works as it is shown."""

import json
import re
import shutil
import subprocess
from datetime import UTC, datetime
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from pydantic import SecretStr

from relance.config import IndexSpec
from relance.events import Change
from relance.events.receiver import KINDS, Limits, receiver
from relance.events.serve import running_receiver
from relance.events.signatures import Secrets, route_secret

PAGE = (Path(__file__).parents[2] / "docs" / "events.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
SECRET = "a secret for this page only"
PUSH = {
    "object_kind": "push",  # this and `project` are GitLab's
    "ref": "refs/heads/main",
    "repository": {"default_branch": "main", "full_name": "relance/handbook"},
    "project": {"default_branch": "main", "path_with_namespace": "relance/handbook"},
    "commits": [{"added": [], "modified": ["docs/a.md"], "removed": []}],
}
EXPECTED = [
    Change("handbook", "", ("docs/a.md",), ("docs/b.md",)),
    Change("handbook", "", ("docs/a.md",)),
    Change("handbook", "wiki", ("docs/a.md",)),
    Change("handbook", "wiki", (), ("docs/b.md",)),
    Change("handbook", "wiki", ("docs/a.md",)),
    Change("handbook", "wiki", (), ("docs/b.md",)),
    Change("handbook", "relance/handbook", ("docs/a.md",)),
    Change("handbook", "relance/handbook", ("docs/a.md",)),
]


@pytest.mark.parametrize(("number", "expected"), list(enumerate(EXPECTED)))
@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("openssl")), reason="curl and openssl are not here")
def test_an_example_does_what_it_says(tmp_path, number, expected):
    (tmp_path / "push.json").write_text(json.dumps(PUSH))
    spec = IndexSpec.model_validate(
        {"name": "handbook", "sources": [{"type": "files", "root": "docs"}], "folder": tmp_path, "store": {"uri": "db"}}
    )
    events = []
    app = receiver({"handbook": spec}, Secrets(SecretStr(SECRET)), events.append, limits=Limits(gather_s=0.01))
    with running_receiver(app) as url:
        command = EXAMPLES[number].replace("http://127.0.0.1:8080", url).replace("curl ", "curl -sS --noproxy '*' ")
        kind = re.search(r"/(\w+)/handbook", command)[1]
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "SECRET": route_secret(SECRET, kind, "handbook")}
        done = subprocess.run(
            ["bash", "-c", command], capture_output=True, text=True, cwd=tmp_path, env=environment, check=True
        )
    assert json.loads(done.stdout)["status"] == "taken", done.stdout
    assert events == [expected]


def test_every_example_is_tried_and_every_kind_has_one():
    assert len(EXAMPLES) == len(EXPECTED)
    for kind in KINDS:
        assert any(f"/{kind}/handbook" in example for example in EXAMPLES)


def test_the_event_is_as_it_is_shown():
    shown = json.loads(re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)[1])
    change = Change("handbook", "docs", ("docs/a.md",), ("docs/b.md",))
    made = change.as_event(own=True, id="1", occurred=datetime.now(UTC))
    assert {name: made[name] for name in shown} == shown
    assert Change.of_event(shown) == change


def test_every_kind_of_source_has_its_way_and_the_anchors_are_there():
    rows = re.findall(r"^\| (`\w.*?) \|", PAGE.partition("| kind of source |")[2].partition("\n\n")[0], re.MULTILINE)
    named = set(re.findall(r"`(\w+)`", " ".join(rows)))
    assert named == {each.name for each in entry_points(group="relance.sources") if each.value.startswith("relance.")}
    headings = {re.sub(r"\W+", "-", each.lower()) for each in re.findall(r"^#+ (.*)$", PAGE, re.MULTILINE)}
    assert set(re.findall(r"\]\(#([\w-]+)\)", PAGE)) <= headings
