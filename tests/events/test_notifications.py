"""What others send, read and put in place."""

import base64
import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance.config import IndexSpec
from relance.errors import InputError
from relance.events import Change
from relance.events.notifications import Notification, Placement, azure, gcs, generic, github, oss
from relance.sources.notification import read_json
from relance.sources.objects import s3_notification as s3

SPEC = IndexSpec.model_validate(
    {
        "name": "handbook",
        "sources": [{"type": "files", "root": "docs"}, {"type": "files", "root": "more/tables"}],
        "folder": Path("/srv/handbook"),
    }
)
ROOT = IndexSpec.model_validate(
    {"name": "handbook", "sources": [{"type": "files", "root": "."}], "folder": Path("/srv")}
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                "changed removed everything Records eventName s3 bucket name object key events oss detail-type detail data "
                "specversion Message message attributes bucketId objectId eventType type subject ref repository default_branch full_name commits added modified".split()
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


def s3_record(event: str, key: str, bucket: str = "bucket"):
    return {"eventName": event, "s3": {"bucket": {"name": bucket}, "object": {"key": key}}}


def oss_event(event: str, key: str):
    return {"eventName": event, "oss": {"bucket": {"name": "bucket"}, "object": {"key": key}}}


def pub_sub(event: str, key, **more: str):
    return {
        "message": {"attributes": {"eventType": event, "bucketId": "bucket", "objectId": key} | more, "data": "e30="}
    }


def grid(event: str, key: str, name: str = "eventType"):
    subject = f"/blobServices/default/containers/bucket/blobs/{key}"
    return {name: f"Microsoft.Storage.{event}", "subject": subject, "data": {}}


def push(commits, **more):
    repository = {"default_branch": "main", "full_name": "relance/handbook"}
    return {"ref": "refs/heads/main", "repository": repository, "commits": commits} | more


def commit(added=(), modified=(), removed=()):
    return {"added": list(added), "modified": list(modified), "removed": list(removed)}


@pytest.mark.parametrize(
    ("data", "objects"),
    [
        ({"Records": [s3_record("ObjectCreated:Put", "docs/a+b%21.md")]}, [("bucket/docs/a b!.md", True)]),
        ({"Records": [s3_record("s3:ObjectRemoved:Delete", "a.md")]}, [("bucket/a.md", False)]),
        ({"Records": [s3_record("ObjectRemoved:DeleteMarkerCreated", "a.md")]}, [("bucket/a.md", False)]),
        ({"Records": [s3_record("LifecycleExpiration:Delete", "a.md")]}, [("bucket/a.md", False)]),
        ({"Records": [s3_record("s3:ObjectAccessed:Get", "a.md"), s3_record("ObjectTagging:Put", "a.md")]}, []),
        (
            {"EventName": "s3:ObjectCreated:Put", "Key": "bucket/a.md", "Records": [s3_record("s3:ObjectCreated:Put", "a.md")]},
            [("bucket/a.md", True)],
        ),
        ({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "bucket"}, []),
        (
            {"version": "0", "detail-type": "Object Created", "source": "aws.s3", "detail": {"bucket": {"name": "bucket"}, "object": {"key": "a+b%21.md"}}},
            [("bucket/a+b%21.md", True)],
        ),
        ({"detail-type": "Object Deleted", "detail": {"bucket": {"name": "b"}, "object": {"key": "a"}}}, [("b/a", False)]),
        ({"detail-type": "Object Tags Added", "detail": {}}, []),
    ],
)  # fmt: skip
def test_s3(data, objects):
    told = s3.read(data)
    assert list(told.objects) == objects
    assert bool(told.ignored) is not bool(objects)


@pytest.mark.parametrize(
    ("data", "objects"),
    [
        (pub_sub("OBJECT_FINALIZE", "docs/a b.md"), [("bucket/docs/a b.md", True)]),
        (pub_sub("OBJECT_DELETE", "a.md"), [("bucket/a.md", False)]),
        (pub_sub("OBJECT_DELETE", "a.md", overwrittenByGeneration="2"), [("bucket/a.md", True)]),
        (pub_sub("OBJECT_ARCHIVE", "a.md"), [("bucket/a.md", False)]),
        (pub_sub("OBJECT_METADATA_UPDATE", "a.md"), []),
    ],
)
def test_gcs(data, objects):
    told = gcs.read(data)
    assert list(told.objects) == objects
    assert bool(told.ignored) is not bool(objects)


@pytest.mark.parametrize(
    ("data", "objects"),
    [
        ([grid("BlobCreated", "docs/a b.md"), grid("BlobDeleted", "b.md")], [("bucket/docs/a b.md", True), ("bucket/b.md", False)]),
        ([grid("BlobTierChanged", "a.md")], []),
        (grid("BlobCreated", "a.md", "type") | {"specversion": "1.0"}, [("bucket/a.md", True)]),
    ],
)  # fmt: skip
def test_azure(data, objects):
    told = azure.read(data)
    assert list(told.objects) == objects
    assert bool(told.ignored) is not bool(objects)


def test_event_grid_is_answered_when_it_is_set_up():
    event = {"eventType": "Microsoft.EventGrid.SubscriptionValidationEvent", "data": {"validationCode": "512d38b6"}}
    assert azure.read([event]).reply == {"validationResponse": "512d38b6"}


BUCKETS = IndexSpec.model_validate(
    {
        "name": "handbook",
        "sources": [
            {"type": "objects", "url": "s3://wiki/docs"},
            {"type": "objects", "url": "az://wiki2@acc.example/"},
        ],
    }
)
MIXED = IndexSpec.model_validate(
    {"name": "handbook", "sources": [{"type": "objects", "url": "oss://wiki/docs"}, {"type": "files", "root": "."}]}
)


@pytest.mark.parametrize(
    ("spec", "query", "keys", "expected"),
    [
        (BUCKETS, {}, ["wiki/docs/a#1 b.md"], Change("handbook", changed=("s3://wiki/docs/a%231 b.md",))),
        (BUCKETS, {}, ["wiki2/a.md"], Change("handbook", changed=("az://wiki2@acc.example/a.md",))),
        (BUCKETS, {}, ["wiki/elsewhere/a.md"], None),
        (BUCKETS, {}, ["wiki/docs//a.md"], None),
        (BUCKETS, {}, ["other/docs/a.md"], Change("handbook", everything=True)),
        (MIXED, {}, ["wiki/docs/a.md"], Change("handbook", changed=("oss://wiki/docs/a.md",))),
        (MIXED, {}, ["other/docs/a.md"], Change("handbook", changed=("docs/a.md",))),
        (MIXED, {"prefix": "wiki"}, ["wiki/docs/a.md"], Change("handbook", changed=("docs/a.md",))),
    ],
)
def test_an_object_is_where_its_bucket_is_read(spec, query, keys, expected):
    placement = Placement(spec, buckets=True, **query)
    assert placement.change(Notification([(key, True) for key in keys])) == expected


OSS = json.dumps(
    {"events": [oss_event("ObjectCreated:PutObject", "docs/a.md"), oss_event("ObjectRemoved:DeleteObjects", "b.md")]}
).encode()
CLOUD_EVENT = {"id": "1", "source": "acs.oss", "specversion": "1.0", "type": "oss:ObjectCreated:PutObject"}


@pytest.mark.parametrize(
    "body",
    [
        OSS,
        base64.b64encode(OSS),
        base64.b64encode(OSS) + b"\n",
        json.dumps({"TopicOwner": "1", "MessageId": "2", "Message": base64.b64encode(OSS).decode()}).encode(),
        json.dumps({"TopicOwner": "1", "MessageId": "2", "Message": OSS.decode()}).encode(),
    ],
)
def test_oss_in_all_its_wrappings(body):
    assert list(oss.read(body).objects) == [("bucket/docs/a.md", True), ("bucket/b.md", False)]


@pytest.mark.parametrize(
    ("event", "objects"),
    [
        (oss_event("ObjectCreated:CompleteMultipartUpload", "a.md"), [("bucket/a.md", True)]),
        (oss_event("ObjectReplication:ObjectModified", "a.md"), [("bucket/a.md", True)]),
        (oss_event("ObjectReplication:ObjectRemoved", "a.md"), [("bucket/a.md", False)]),
        (oss_event("ObjectCreated:UploadPart", "a.md"), []),
        (oss_event("ObjectRemoved:AbortMultipartUpload", "a.md"), []),
        (oss_event("ObjectDownloaded:GetObject", "a.md"), []),
        (oss_event("ObjectCreated:PutObject", "a%20b.md"), [("bucket/a%20b.md", True), ("bucket/a b.md", True)]),
    ],
)
def test_oss_events(event, objects):
    for body in ({"events": [event]}, CLOUD_EVENT | {"data": event}):
        told = oss.read(json.dumps(body).encode())
        assert list(told.objects) == objects
        assert bool(told.ignored) is not bool(objects)


@pytest.mark.parametrize(
    ("data", "event", "objects", "everything", "ignored"),
    [
        (push([commit(["a"], ["b"], ["c"])]), "push", [("c", False), ("a", True), ("b", True)], False, False),
        (push([commit(removed=["a"]), commit(added=["a"])]), "push", [("a", False), ("a", True)], False, False),
        (push([]), "push", [], False, True),
        (push([], forced=True), "push", [], True, False),
        (push([commit()] * 2048), "push", [], True, False),
        (push([commit(["a"])], ref="refs/heads/topic"), "push", [("a", True)], False, True),
        (push([commit(["a"])], ref="refs/tags/main"), "push", [], False, True),
        (push([], deleted=True), "push", [], False, True),
        ({"zen": "Keep it logically awesome."}, "ping", [], False, True),
        ({"action": "opened"}, "issues", [], False, True),
    ],
)
def test_github(data, event, objects, everything, ignored):
    told = github.read(data, event)
    assert (list(told.objects), told.everything, bool(told.ignored)) == (objects, everything, ignored)


@pytest.mark.parametrize(
    ("data", "objects", "everything"),
    [
        ({"changed": ["a"], "removed": ["b"]}, [("b", False), ("a", True)], False),
        ({"removed": ["b"], "source": "ci"}, [("b", False)], False),
        ({"everything": True}, [], True),
        ({"changed": []}, [], False),
    ],
)
def test_generic(data, objects, everything):
    told = generic.read(data)
    assert (list(told.objects), told.everything) == (objects, everything)
    assert bool(told.ignored) is not (bool(objects) or everything)


@pytest.mark.parametrize(
    ("read", "words"),
    [
        (lambda: generic.read([]), "expected an object"),
        (lambda: generic.read({}), "changed: missing"),
        (lambda: generic.read({"source": "x"}), "changed: missing"),
        (lambda: generic.read({"changed": "a.md"}), "changed: of the wrong kind, expected a list"),
        (lambda: generic.read({"changed": ["a", 3]}), r"changed\[1\]: expected the uri"),
        (lambda: generic.read({"changed": ["a"], "deleted": ["b"]}), "deleted: unknown"),
        (lambda: generic.read({"everything": "yes"}), "everything: of the wrong kind, expected true or false"),
        (lambda: s3.read({}), "Records: missing"),
        (lambda: s3.read({"Records": {}}), "Records: of the wrong kind"),
        (lambda: s3.read({"Records": [s3_record("ObjectCreated:Put", "a"), {}]}), r"Records\[1\]\.eventName: missing"),
        (
            lambda: s3.read({"Records": [{"eventName": "ObjectCreated:Put", "s3": 3}]}),
            r"Records\[0\]\.s3\.bucket\.name: missing",
        ),
        (lambda: s3.read({"Records": [s3_record("ObjectAccessed:Get", "a")] * 10_001}), "Records: more than 10,000"),
        (lambda: s3.read({"detail-type": "Object Created"}), "detail.bucket.name: missing"),
        (lambda: gcs.read({}), "message: missing"),
        (lambda: gcs.read(pub_sub("OBJECT_DELETE", 3)), "message.objectId: of the wrong kind"),
        (lambda: azure.read([{}]), r"events\[0\]\.eventType: missing"),
        (lambda: azure.read([grid("BlobCreated", "a") | {"subject": "/somewhere"}]), r"events\[0\]\.subject: expected"),
        (lambda: oss.read(b'{"events": [{}]}'), r"events\[0\]\.eventName: missing"),
        (lambda: oss.read(b'{"specversion": "1.0"}'), "data: missing"),
        (lambda: oss.read(b"\xff\xfe"), "neither JSON nor Base64"),
        (lambda: oss.read(b""), "not JSON"),
        (lambda: github.read({}, "push"), "ref: missing"),
        (lambda: github.read(push([{"added": []}]), "push"), r"commits\[0\]\.removed: missing"),
        (lambda: github.read(push([commit(added=[3])]), "push"), r"commits\[0\]\.added: expected paths"),
        (lambda: read_json(b"{"), "not JSON"),
        (lambda: read_json(b'"\\ud800"'), "not JSON"),
        (lambda: read_json(b"[" * 100_000), "not JSON"),
        (lambda: read_json(b"NaN"), "not JSON"),
    ],
)
def test_what_is_malformed_is_said_by_its_field(read, words):
    with pytest.raises(InputError, match=words):
        read()


@given(anything, st.sampled_from(["push", "ping", ""]))
def test_whatever_comes_is_read_or_refused(data, event):
    body = json.dumps(data).encode()
    for read in (
        lambda: generic.read(data),
        lambda: s3.read(data),
        lambda: github.read(data, event),
        lambda: gcs.read(data),
        lambda: azure.read(data),
        lambda: oss.read(body),
        lambda: oss.read(base64.b64encode(body)),
    ):
        with contextlib.suppress(InputError):
            Placement(SPEC).change(read())


@given(st.binary(max_size=60))
def test_whatever_bytes_come_are_read_or_refused(body):
    for read in (read_json, oss.read):
        with contextlib.suppress(InputError):
            read(body)


@pytest.mark.parametrize(
    ("placement", "keys", "expected"),
    [
        (Placement(SPEC), ["docs/a.md", "more/tables/t.csv"], Change("handbook", changed=("docs/a.md", "more/tables/t.csv"))),
        (Placement(SPEC), ["docs/a.md", "elsewhere/b.md"], Change("handbook", everything=True)),
        (Placement(SPEC), ["docs/"], Change("handbook", everything=True)),
        (Placement(SPEC), ["docs"], Change("handbook", everything=True)),
        (Placement(SPEC), ["docs/../../secret"], Change("handbook", everything=True)),
        (Placement(SPEC), ["docs//a.md"], Change("handbook", everything=True)),
        (Placement(SPEC), ["/docs/a.md"], Change("handbook", everything=True)),
        (Placement(SPEC, buckets=True), ["bucket/docs/a.md"], Change("handbook", changed=("docs/a.md",))),
        (Placement(SPEC, buckets=True, root="docs"), ["bucket/a.md"], Change("handbook", changed=("docs/a.md",))),
        (Placement(SPEC, buckets=True, prefix="bucket/wiki/", root="docs/"), ["bucket/wiki/a.md", "other/wiki/b.md", "bucket/c"], Change("handbook", changed=("docs/a.md",))),
        (Placement(SPEC, buckets=True, prefix="bucket", root="docs"), ["bucket/a.md", "bucket2/b.md"], Change("handbook", changed=("docs/a.md",))),
        (Placement(SPEC, prefix="other"), ["docs/a.md"], None),
        (Placement(SPEC), [], None),
        (Placement(SPEC, exact=True), ["any/thing.md"], Change("handbook", changed=("any/thing.md",))),
        (Placement(SPEC, exact=True, root="docs"), ["a.md"], Change("handbook", changed=("docs/a.md",))),
        (Placement(ROOT), ["a.md", "b/c.md"], Change("handbook", changed=("a.md", "b/c.md"))),
        (Placement(ROOT), [".."], Change("handbook", everything=True)),
        (Placement(ROOT), ["../a.md"], Change("handbook", everything=True)),
    ],
)  # fmt: skip
def test_a_key_becomes_the_uri_of_where_it_is(placement, keys, expected):
    assert placement.change(Notification([(key, True) for key in keys])) == expected


def test_the_last_word_about_a_key_counts():
    told = Notification([("docs/a", True), ("docs/b", False), ("docs/a", False), ("docs/b", True)], "bucket")
    assert Placement(SPEC).change(told) == Change("handbook", "bucket", changed=("docs/b",), removed=("docs/a",))
