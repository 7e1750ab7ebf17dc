"""What is particular to one service of a source of type connector."""

from datetime import UTC, datetime

import pytest

pytest.importorskip("unstructured_ingest", reason="the extra connectors is not installed")

from connector_sources import DAY, FIRST, connector, items, others, served, text
from notion_service import ident

from relance.documents import Ignored, Item
from relance.errors import ConfigurationError, DocumentError, MissingExtraError, SourceError
from relance.sources.connector import patience


@pytest.fixture(autouse=True)
def without_waiting(monkeypatch):
    monkeypatch.setattr(patience, "FIRST_S", 0.0)
    monkeypatch.setattr("time.sleep", lambda seconds: None)


@pytest.fixture
def confluence():
    with served("confluence") as case:
        yield case


@pytest.fixture
def jira():
    with served("jira") as case:
        yield case


@pytest.fixture
def server():
    with served("jira-server") as case:
        yield case


@pytest.fixture
def notion():
    with served("notion") as case:
        yield case


@pytest.fixture
def slack():
    with served("slack") as case:
        yield case


def principals(source, name):
    return source.read(items(source)[name]).metadata["principals"]


class TestConfluence:
    def test_a_page_is_its_title_and_what_people_see_of_it(self, confluence):
        confluence.service.put(
            "101", "A < B & more", "<p>un<b>do</b>able</p><table><tr><td>1</td><td>2</td></tr></table>"
        )
        source = connector(confluence.section())
        item = items(source)["101"]
        assert item.media_type == "text/html"
        assert "A < B & more" in text(source, item)
        assert "able" in text(source, item).replace("*", "").partition("undo")[2]
        metadata = source.read(item).metadata
        assert metadata["url"] == f"{confluence.service.address}/wiki/pages/101" == source.location(item.uri).link
        assert metadata["date_created"] == "2026-01-02T03:04:05Z"
        assert metadata["date_modified"] == "2026-02-03T04:05:02Z"

    def test_all_pages_are_listed_beyond_the_limits_of_the_library(self, confluence):
        for number in range(200, 320):  # its default is 100 a space
            confluence.service.put(str(number), f"Page {number}", "<p>x</p>")
        confluence.service.size = 50
        assert len(items(connector(confluence.section() | {"permissions": False}))) == 123

    @pytest.mark.parametrize("name", ["max_num_of_spaces", "max_num_of_docs_from_each_space"])
    def test_a_listing_is_never_cut_off(self, confluence, name):
        section = confluence.section()
        with pytest.raises(ConfigurationError, match="cut off would remove"):
            list(connector(section | {"listing": section["listing"] | {name: 10}}).list())

    def test_all_spaces_are_listed_where_none_is_named(self, confluence):
        confluence.service.put("201", "Of another space", "<p>x</p>", space="OPS")
        assert "201" in items(connector(confluence.section() | {"listing": {}}))
        assert "201" not in items(connector(confluence.section()))

    def test_an_address_without_confluence_is_told(self, confluence):
        section = confluence.section()
        connection = section["connection"] | {"url": confluence.service.address}
        with pytest.raises(ConfigurationError, match="ends with /wiki"):
            list(connector(section | {"connection": connection}).list())

    def test_readers_are_those_of_the_space_where_a_page_is_not_restricted(self, confluence):
        confluence.service.space_readers = [("group", "staff"), ("user", "ann"), ("access-class", "ALL_LICENSED_USERS")]
        source = connector(confluence.section())
        assert principals(source, "101") == ["access-class:ALL_LICENSED_USERS", "group:staff", "user:ann"]

    def test_a_page_has_the_restrictions_of_the_pages_above_it(self, confluence):
        service = confluence.service
        service.folders["7"] = {"parentType": "page", "parentId": "103"}
        service.put("101", "Below a folder", "<p>x</p>", parent=("folder", "7"))
        service.put("102", "Below that", "<p>x</p>", parent=("page", "101"))
        service.restricted["103"] = {"users": ["ann", "bob"], "groups": ["board"]}
        source = connector(confluence.section())
        for name in ("103", "101", "102"):
            assert principals(source, name) == ["group:board", "user:ann", "user:bob"]
        service.restricted["101"] = {"users": ["bob", "eve"]}
        assert principals(source, "102") == ["user:bob"]
        service.restricted["102"] = {"users": ["eve", "zoe"]}
        assert principals(source, "102") == []

    def test_another_reader_is_another_version_with_the_same_text(self, confluence):
        source = connector(confluence.section())
        before, content = items(source), source.read(items(source)["102"])
        confluence.service.restricted["102"] = {"users": ["ann"]}
        after = items(source)
        assert [name for name in before if before[name] != after[name]] == ["102"]
        again = source.read(after["102"])
        assert again.data == content.data
        assert again.content_hash != content.content_hash
        assert again.metadata["principals"] == ["user:ann"]

    @pytest.mark.parametrize("answer", [(403, {}, {}), (200, {}, {}), (200, {"read": {}}, {})])
    def test_a_page_whose_readers_are_not_told_is_a_failure_and_not_open_to_all(self, confluence, answer):
        confluence.service.restricted["102"] = {"users": ["ann"]}
        source = connector(confluence.section())
        item = items(source)["102"]
        confluence.service.breaks = lambda path, query: answer if "/102/restriction" in path else None
        assert items(source).keys() == {"101", "103"}
        [failure] = others(source)
        assert failure.uri == item.uri
        assert "who may read it cannot be found out" in failure.reason
        with pytest.raises(DocumentError, match="who may read it cannot be found out"):
            source.read(item)

    @pytest.mark.parametrize("answer", [(403, {}, {}), (200, {}, {})])
    def test_a_space_whose_readers_are_not_told_is_not_open_to_all(self, confluence, answer):
        confluence.service.breaks = lambda path, query: answer if path.endswith("/permissions") else None
        assert [type(each) for each in connector(confluence.section()).list()] == [DocumentError] * 3

    def test_permissions_cost_nothing_where_nobody_wants_them(self, confluence):
        source = connector(confluence.section() | {"permissions": False})
        assert "principals" not in source.read(items(source)["101"]).metadata
        assert not [path for path in confluence.service.requests if "restriction" in path or "permissions" in path]

    def test_an_unchanged_page_costs_one_request_for_its_readers(self, confluence):
        source = connector(confluence.section())
        list(source.list())
        asked = [path for path in confluence.service.requests if "restriction" in path]
        assert sorted(asked) == sorted(set(asked))
        assert len(asked) == 3


class TestJira:
    def test_an_issue_is_its_summary_facts_description_and_comments(self, jira):
        jira.service.put(
            "OPS-1", "Pump <3> leaks", "It <b>really</b> leaks.", (("Bob", "Seen it."), ("Eve", "Me too."))
        )
        source = connector(jira.section())
        item = items(source)["OPS-1"]
        found = text(source, item)
        order = [
            "OPS-1 Pump <3> leaks",
            "Status: Open",
            "Labels: pump, night",
            "really",
            "Bob 2026-03-04",
            "Seen it.",
            "Eve",
        ]
        assert [found.index(each) for each in order] == sorted(found.index(each) for each in order)
        assert "Assignee" not in found
        metadata = source.read(item).metadata
        assert metadata["url"] == f"{jira.service.address}/browse/OPS-1" == source.location(item.uri).link
        assert (metadata["status"], metadata["labels"]) == ("Open", ["pump", "night"])
        assert metadata["date_created"] == "2026-03-01T09:00:00Z"

    def test_comments_that_are_not_told_are_a_failure(self, jira):
        jira.service.put("OPS-1", "Long", "x", (("Bob", "Seen it."),))
        jira.service.issues["OPS-1"]["fields"]["comment"]["total"] = 200
        source = connector(jira.section())
        with pytest.raises(DocumentError, match="1 of 200 comments"):
            source.read(items(source)["OPS-1"])

    def test_an_issue_of_another_project_is_none_of_this_source(self, jira):
        source = connector(jira.section())
        prefix = source.location().text
        assert source.location(f"{prefix}/DEV-1") is None
        assert source.location(f"{prefix}/OPS-999") is not None

    def test_an_issue_that_goes_while_pages_are_counted_ends_the_listing(self, server):
        """Data Center counts: when the first issue goes, the third is on a page that was read already."""
        server.service.put("OPS-4", "Issue 4", "Pump 4.")

        def breaks(path, query):
            if query.get("startAt") == "2":
                server.service.issues.pop("OPS-1", None)

        server.service.breaks = breaks
        with pytest.raises(SourceError, match="went away while they were listed"):
            list(connector(server.section()).list())

    def test_an_issue_that_goes_while_cloud_lists_takes_no_other_away(self, jira):
        jira.service.put("OPS-4", "Issue 4", "Pump 4.")

        def breaks(path, query):
            if "nextPageToken" in query:
                jira.service.issues.pop("OPS-1", None)

        jira.service.breaks = breaks
        assert items(connector(jira.section())).keys() >= {"OPS-2", "OPS-3", "OPS-4"}


class TestNotion:
    def test_a_page_is_its_title_properties_and_blocks(self, notion):
        service = notion.service
        rich = {"rich_text": [*service.block("paragraph", "a < b & ")["paragraph"]["rich_text"]]}
        rich["rich_text"].append(
            service.block("paragraph", "c")["paragraph"]["rich_text"][0] | {"href": "https://x.test"}
        )
        cells = [[{"plain_text": "Size"}], [{"plain_text": "7"}]]
        service.page(
            2, "Pumps",
            service.block("heading_1", "Care"),
            service.block("paragraph", rich),
            service.block("bulleted_list_item", "one", (service.block("bulleted_list_item", "inner"),)),
            service.block("bulleted_list_item", "two"),
            service.block("to_do", {"rich_text": [{"plain_text": "oil it"}], "checked": True}),
            service.block("column_list", {}, (service.block("column", {}, (service.block("paragraph", "deep"),)),)),
            service.block("table", {"has_column_header": True}, (service.block("table_row", {"cells": cells}),)),
            service.block("code", {"rich_text": [{"plain_text": "x = 1\ny = 2"}], "language": "python"}),
            service.block("kind_of_next_year", {"rich_text": [{"plain_text": "still read"}]}),
            properties={"State": {"type": "select", "select": {"name": "in use"}}},
        )  # fmt: skip
        source = connector(notion.section())
        item = items(source)[f"page/{ident(2)}"]
        found = text(source, item)
        order = ["Pumps", "State: in use", "Care", "a < b & ", "one", "inner", "two", "[x] oil it", "deep", "Size", "x = 1\ny = 2",
                 "still read"]  # fmt: skip
        assert [found.index(each) for each in order] == sorted(found.index(each) for each in order)
        assert "## Care" in found
        assert source.location(item.uri).link == f"https://www.notion.so/{ident(2).replace('-', '')}"

    def test_pages_in_columns_and_toggles_are_found(self, notion):
        service = notion.service
        service.page(6, "Hidden", service.block("paragraph", "Found."))
        child = service.block("child_page", {"title": "Hidden"}, number=6)
        inside = service.block("column_list", {}, (service.block("column", {}, (child,)),))
        service.blocks[ident(1)].append(inside)
        assert f"page/{ident(6)}" in items(connector(notion.section()))

    def test_a_database_is_a_table_and_its_rows_are_pages(self, notion):
        service = notion.service
        number = {"Weight": {"type": "number", "number": 7.5}}
        service.page(11, "Rotor", service.block("paragraph", "Spins."), properties=number)
        service.page(12, "Stator", service.block("paragraph", "Stays."), properties=number)
        service.page(13, "Shaft", properties=number)
        service.database(10, "Parts", [11, 12, 13], {"Weight": {"type": "number", "number": {}}})
        service.blocks[ident(1)].append(service.block("child_database", {"title": "Parts"}, number=10))
        source = connector(notion.section())
        found = items(source)
        assert {f"database/{ident(10)}", *(f"page/{ident(row)}" for row in (11, 12, 13))} <= found.keys()
        table = text(source, found[f"database/{ident(10)}"])
        assert all(word in table for word in ("Parts", "Rotor", "Stator", "Shaft", "7.5"))
        service.page(12, "Housing", properties=number)
        after = items(source)
        changed = {name for name in found if found[name] != after[name]}
        assert changed == {f"database/{ident(10)}", f"page/{ident(12)}"}

    def test_a_page_of_this_minute_is_looked_at_again(self, notion):
        notion.service.edited(2, datetime.now(UTC).isoformat(timespec="minutes"))
        source = connector(notion.section())
        before, after = items(source), items(source)
        assert [name for name in before if before[name] != after[name]] == [f"page/{ident(2)}"]

    def test_a_page_in_the_trash_is_gone(self, notion):
        notion.service.things[ident(3)]["in_trash"] = True
        source = connector(notion.section())
        assert f"page/{ident(3)}" not in items(source)
        [ignored] = others(source)
        assert isinstance(ignored, Ignored)
        assert ignored.reason == "in the trash"

    def test_a_linked_page_that_is_not_shared_is_counted(self, notion):
        link = {"type": "page_id", "page_id": ident(77)}
        notion.service.blocks[ident(1)].append(notion.service.block("link_to_page", link))
        assert [each.reason for each in others(connector(notion.section()))] == ["not shared with the integration"]

    def test_a_page_that_fails_is_not_left_out(self, notion):
        failed = notion.service.failed(500, "internal_server_error")
        notion.service.breaks = lambda path, query: failed if path.endswith(f"/pages/{ident(3)}") else None
        with pytest.raises(SourceError):
            list(connector(notion.section()).list())

    def test_ids_are_the_same_with_and_without_dashes(self, notion):
        section = notion.section() | {"listing": {"page_ids": [ident(2).replace("-", ""), ident(2).upper()]}}
        assert list(items(connector(section))) == [f"page/{ident(2)}"]

    @pytest.mark.parametrize(
        ("listing", "message"), [({}, "nothing is selected"), ({"page_ids": ["Home"]}, "is no id")]
    )
    def test_what_asks_for_nothing_is_refused(self, notion, listing, message):
        with pytest.raises(ConfigurationError, match=message):
            list(connector(notion.section() | {"listing": listing}).list())


class TestSlack:
    def test_a_day_is_its_messages_with_their_threads(self, slack):
        service = slack.service
        service.say(
            f"{FIRST + 60}.000200", "Look at <https://x.test/a|the manual>, <@U07> &amp; <#C09|ops> &lt;now&gt;"
        )
        for minute in (2, 3, 4):
            service.reply(f"{FIRST + 60}.000200", f"{FIRST + DAY + minute * 60}.000300", f"Reply {minute}")
        source = connector(slack.section())
        found = text(source, items(source)["C01/2026-01-01"])
        order = [
            "C01 2026-01-01",
            "Words of day 1",
            "00:01",
            "the manual",
            "@U07 & #ops <now>",
            "Reply 2",
            "Reply 3",
            "Reply 4",
        ]
        assert [found.index(each) for each in order] == sorted(found.index(each) for each in order)
        assert "Reply" not in text(source, items(source)["C01/2026-01-02"])

    def test_a_message_that_is_deleted_changes_its_day(self, slack):
        slack.service.say(f"{FIRST + 60}.000200", "Oops, a password.")
        source = connector(slack.section())
        before = items(source)
        slack.service.channels["C01"] = [each for each in slack.service.channels["C01"] if "Oops" not in each["text"]]
        after = items(source)
        assert [name for name in before if before[name] != after[name]] == ["C01/2026-01-01"]

    def test_a_reply_changes_the_day_of_its_thread(self, slack):
        source = connector(slack.section())
        before = items(source)
        slack.service.reply(f"{FIRST}.000100", f"{FIRST + 2 * DAY + 5}.000300", "Late")
        after = items(source)
        assert [name for name in before if before[name] != after[name]] == ["C01/2026-01-01"]
        assert "Late" in text(source, after["C01/2026-01-01"])

    def test_it_joins_no_channel(self, slack):
        list(connector(slack.section()).list())
        assert {path.rpartition("/")[2] for path in slack.service.requests} == {"conversations.history"}

    @pytest.mark.parametrize("error", ["not_in_channel", "is_archived", "channel_not_found"])
    def test_a_channel_that_cannot_be_read_is_told(self, slack, error):
        slack.service.errors["C01"] = error
        with pytest.raises(ConfigurationError, match=r"listing\.channels: C01"):
            list(connector(slack.section()).list())

    def test_files_are_documents_and_the_token_goes_to_slack_only(self, slack):
        files = [
            {"id": "F01", "name": "plan.md", "timestamp": 1, "mode": "hosted"},
            {"id": "F02", "name": "gone.md", "mode": "tombstone"},
        ]
        slack.service.say(f"{FIRST + 60}.000200", "See the plan", files=files)
        slack.service.files["F01"] = {"id": "F01", "url_private_download": f"{slack.service.address}/plan.md"}
        source = connector(slack.section())
        item = items(source)["C01/F01/plan.md"]
        assert item.media_type == "text/markdown"
        assert [each.reason for each in others(source)] == ["file that is not at Slack any more, or never was"]
        with pytest.raises(DocumentError, match=r"files\.slack\.com"):
            source.read(item)
        assert "/plan.md" not in slack.service.requests

    def test_another_channel_is_none_of_this_source(self, slack):
        source = connector(slack.section())
        assert source.location(f"{source.location().text}/C02/2026-01-01") is None


def test_a_service_whose_package_is_missing_says_what_installs_it(monkeypatch, confluence):
    monkeypatch.setitem(__import__("sys").modules, "atlassian", None)
    source = connector(confluence.section())
    with pytest.raises(ConfigurationError, match=r"pip install 'unstructured-ingest\[confluence\]'"):
        list(source.list())
    with pytest.raises(ConfigurationError, match=r"pip install 'unstructured-ingest\[confluence\]'"):
        source.read(Item(f"{source.location().text}/101", "", "text/html"))


def test_without_the_extra_the_command_that_installs_it_is_told(monkeypatch, confluence):
    monkeypatch.setitem(__import__("sys").modules, "unstructured_ingest.processes.connectors.confluence", None)
    monkeypatch.setitem(__import__("sys").modules, "unstructured_ingest", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'relance\[connectors\]'"):
        list(connector(confluence.section()).list())
