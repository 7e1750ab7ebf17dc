"""Images and videos on the command line: what a run says of them, and a search with a picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from command_line import Run, one_message


@pytest.fixture
def pictures(gallery: Any) -> Path:
    """The spec of three colours, a table with captions and a document, not ingested yet."""
    for name, colour in (("a", "red"), ("b", "green"), ("c", "blue")):
        gallery.paint(f"pics/{name}.png", colour)
    gallery.write("m.csv", "id,url,caption\n1,pics/a.png,an old barn\n")
    gallery.write("docs/j.md", "# Journal\n\nThe lake was calm.\n\n![our house](../pics/a.png)\n")
    declared = {
        "name": "gallery",
        "sources": [
            {"type": "files", "root": "docs"},
            {"type": "files", "root": "pics"},
            {"type": "files", "root": ".", "include": ["m.csv"], "rows": {"url": "url", "caption": "caption"}},
        ],
        "embedding": {"model": "fake/hash"},
        "media": gallery.media(),
        "store": {"uri": "db"},
    }
    return gallery.write("index.yaml", json.dumps(declared))  # JSON is YAML


@pytest.fixture
def hung(run: Run, pictures: Path) -> Path:
    """The spec of the same, ingested."""
    assert run("ingest", str(pictures), "--direct").code == 0
    return pictures


def test_a_plan_and_a_run_tell_of_the_media_in_a_table_of_their_own(run: Run, pictures: Path) -> None:
    ran = run("plan", str(pictures), "--json")
    assert (ran.code, ran.json["added"]) == (0, 1)
    media = ran.json["media"]
    assert (media["added"], media["chunks"], media["reused"], media["tokens"]) == (5, 5, 2, 3 * 896)
    assert media["cost_usd"] == pytest.approx(3 * 896 * 0.09 / 1e6)
    shown = run("plan", str(pictures)).out
    assert "gallery: plan\n" in shown
    assert "gallery: plan of its media" in shown
    ran = run("ingest", str(pictures), "--direct")
    assert ran.code == 0
    assert "gallery: completed" in ran.out
    assert "gallery: media: completed" in ran.out
    assert "5 written · 3 embedded · 2 reused" in ran.out
    again = run("ingest", str(pictures), "--direct", "--json").json
    assert (again["unchanged"], again["media"]["unchanged"], again["media"]["requests"]) == (1, 5, 0)


def test_texts_and_pictures_that_answer_stand_side_by_side(run: Run, hung: Path) -> None:
    ran = run("search", str(hung), "calm lake", "--json")
    assert ran.code == 0
    assert ran.json["hits"][0]["uri"] == "docs/j.md"
    assert {hit["url"] for hit in ran.json["media"]} == {f"pics/{name}.png" for name in "abc"}
    shown = run("search", str(hung), "old barn", "-k", "1", "--mode", "full-text").out
    assert "an old barn" in shown
    assert "image 24×16" in shown
    assert (
        run("search", str(hung), "red", "--mode", "dense", "-k", "1", "--json").json["media"][0]["url"] == "pics/a.png"
    )


def test_a_picture_can_be_asked_with(run: Run, hung: Path) -> None:
    ran = run("search", str(hung), "--image", str(hung.parent / "pics/c.png"), "-k", "2", "--json")
    assert ran.code == 0
    assert ran.json["hits"] == []
    assert [hit["url"] for hit in ran.json["media"]][:1] == ["pics/c.png"]
    shown = run("search", str(hung), "--image", str(hung.parent / "pics/c.png"), "-k", "1").out
    assert shown.startswith("1. pics/c.png  1.00  image 24×16")


def test_like_takes_a_picture_of_the_index_and_one_from_elsewhere(run: Run, hung: Path) -> None:
    folder = hung.parent
    by_uri = run("search", str(hung), "--like", "pics/c.png", "--json").json["media"]
    assert by_uri
    assert "pics/c.png" not in {hit["uri"] for hit in by_uri}
    by_file = run("search", str(hung), "--like", str(folder / "pics/c.png"), "--json").json
    assert (by_file["hits"], by_file["media"][0]["url"], by_file["media"][0]["found_by"]) == (
        [],
        "pics/c.png",
        ["dense"],
    )
    assert run("search", str(hung), "--like", str(folder / "pics/c.png"), "-k", "1").out.startswith(
        "1. pics/c.png  1.00 "
    )
    ran = run("search", str(hung), "--like", "pics/nothing.png")
    assert (ran.code, "there is no document" in one_message(ran)) == (2, True)
    ran = run("search", str(hung), "--like", str(hung))
    assert (ran.code, "no image or video" in one_message(ran)) == (2, True)


def test_hits_say_where_else_they_are_and_the_moment_of_a_film(run: Run, hung: Path, gallery: Any) -> None:
    gallery.write("n.jsonl", json.dumps({"id": "f", "url": "pics/b.png", "moment_s": 42.4}))
    declared = json.loads(hung.read_text())
    rows = {"url": "url", "metadata": ["moment_s"]}
    declared["sources"].append({"type": "files", "root": ".", "include": ["n.jsonl"], "rows": rows})
    hung.write_text(json.dumps(declared))
    assert run("ingest", str(hung), "--direct").code == 0
    ran = run("search", str(hung), "--image", str(hung.parent / "pics/b.png"), "-k", "1")
    assert "also" in ran.out
    found = run("search", str(hung), "green", "--mode", "dense", "--where", "uri = 'n.jsonl#f'").out
    assert "at 0:42" in found


def test_a_film_by_key_frames_is_one_hit_at_its_moment(run: Run, pictures: Path, gallery: Any) -> None:
    gallery.write("pics/trip.mp4", gallery.film("white", "yellow", seconds=2))
    declared = json.loads(pictures.read_text())
    declared["media"]["films"] = {"embed": "key-frames", "frames": 4}
    pictures.write_text(json.dumps(declared))
    assert "7 written · 5 embedded · 2 reused" in run("ingest", str(pictures), "--direct").out
    ran = run("search", str(pictures), "yellow", "--mode", "dense", "--json")
    assert (ran.json["media"][0]["url"], ran.json["media"][0]["moment_s"]) == ("pics/trip.mp4", 2.0)
    shown = run("search", str(pictures), "yellow", "--mode", "dense").out
    assert (shown.count("pics/trip.mp4"), "video 32×32 4.0 s at 0:02" in shown) == (1, True)
    assert run("status", str(pictures), "--json").json["media"]["documents"] == 6


def test_texts_and_pictures_sorted_together_are_one_list(run: Run, hung: Path, gallery: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("DASHSCOPE_BASE_URL", f"{gallery.embed_url}/api/v1")
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-test")
    declared = json.loads(hung.read_text())
    declared["search"] = {"rerank": {"model": "dashscope/qwen3-vl-rerank", "region": "beijing"}}
    hung.write_text(json.dumps(declared))
    ran = run("search", str(hung), "calm lake", "--explain")
    assert ran.code == 0
    numbers = [line.partition(".")[0] for line in ran.out.splitlines() if line[:1].isdigit()]
    assert numbers == ["1", "2", "3", "4"]
    assert ran.out.startswith("1. docs/j.md")
    assert "texts and media together" in ran.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(("--image", "gone.png"), "gone.png: no such file"), (("red", "--image", "a.png"), "one of them"),
     (("--image", "index.yaml"), "no image or video"), ((), "the query is empty"),
     (("--image", "http://169.254.169.254/a.png"), "169.254.169.254")],
)  # fmt: skip
def test_a_picture_that_cannot_be_asked_with_is_one_message(
    run: Run, hung: Path, arguments: tuple[str, ...], message: str
) -> None:
    ran = run("search", str(hung), *arguments)
    assert ran.code == 2
    assert message in one_message(ran)


def test_asking_with_a_picture_needs_media(run: Run, ingested: Path) -> None:
    ran = run("search", str(ingested), "--image", "a.png")
    assert ran.code == 2
    assert "add a `media` section" in one_message(ran)


def test_status_failures_runs_and_rollback_tell_of_both_parts(run: Run, hung: Path) -> None:
    status = run("status", str(hung), "--json").json
    assert (status["documents"], status["media"]["documents"]) == (1, 5)
    shown = run("status", str(hung)).out
    assert "gallery: media" in shown
    assert shown.count("completed") == 2
    (hung.parent / "pics/bad.png").write_bytes(b"no picture")
    (hung.parent / "pics/a.png").write_bytes((hung.parent / "pics/b.png").read_bytes())
    ran = run("ingest", str(hung), "--direct")
    assert ran.code == 3
    assert "named like image/png" in ran.out
    assert run("plan", str(hung)).code == 3, "a plan says what would fail"
    assert "pics/bad.png" in run("failures", str(hung)).out
    lines = run("runs", str(hung)).out.splitlines()
    assert [" media version " in line for line in lines] == [True, False, True, False]
    shown = run("rollback", str(hung)).out
    assert "gallery: rolled back" in shown
    assert "gallery/media: rolled back" in shown
    assert run("rollback", str(hung)).code == 2


def test_a_media_model_that_takes_no_pictures_is_exit_two(run: Run, pictures: Path) -> None:
    declared = json.loads(pictures.read_text())
    declared["media"]["embedding"]["model"] = "dashscope/text-embedding-v4"
    pictures.write_text(json.dumps(declared))
    for command in (("plan",), ("ingest", "--direct")):
        ran = run(command[0], str(pictures), *command[1:])
        assert ran.code == 2
        assert "media.embedding.model: dashscope/text-embedding-v4 embeds texts only" in one_message(ran)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"media": None}, "rows.url"), ({"media": {"oversize": "shrink"}}, "media.oversize"),
     ({"media": {"embedding": {"fuse": True}}}, "media.embedding.fuse"), ({"media": {"sned": "url"}}, "send")],
)  # fmt: skip
def test_a_media_section_that_cannot_be_meant_so_is_exit_two_and_named(
    run: Run, pictures: Path, change: dict[str, Any], message: str
) -> None:
    declared = json.loads(pictures.read_text()) | change
    pictures.write_text(json.dumps({name: value for name, value in declared.items() if value is not None}))
    ran = run("plan", str(pictures))
    assert ran.code == 2
    assert message in one_message(ran)
