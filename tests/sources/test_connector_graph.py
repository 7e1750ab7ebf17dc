"""What is particular to OneDrive and SharePoint: libraries, pages, tokens and readers of Microsoft Graph."""

import pytest

pytest.importorskip("unstructured_ingest", reason="the extra connectors is not installed")

import graph_service
from connector_sources import connector, items, others, served, text
from graph_service import ROOT, TOKEN, granted, ident

from relance.documents import Ignored
from relance.errors import ConfigurationError, DocumentError, SourceError
from relance.sources.connector import patience


@pytest.fixture(autouse=True)
def without_waiting(monkeypatch):
    monkeypatch.setattr(patience, "FIRST_S", 0.0)


@pytest.fixture(params=["sharepoint", "onedrive"])
def graph(request):
    with served(request.param) as case:
        yield case


@pytest.fixture
def sharepoint():
    with served("sharepoint") as case:
        yield case


def name(number):
    return f"b%21drive-1/{ident(number)}"


def below(case, **listing):
    return case.section() | {"listing": {"recursive": True} | listing}


def readers(source, number):
    return source.read(items(source)[name(number)]).metadata["principals"]


class TestPlaces:
    @pytest.fixture
    def folders(self, graph):
        graph.service.folder("01FOLDER1", "Plans & more")
        graph.service.folder("01FOLDER2", "Deep", parent="01FOLDER1")
        graph.service.file(ident(11), "In.md", b"In a folder.", parent="01FOLDER1")
        graph.service.file(ident(12), "Deeper.md", b"Deeper.", parent="01FOLDER2")
        return graph

    @pytest.mark.parametrize(
        ("listing", "numbers"),
        [({}, {1, 2, 3, 11, 12}), ({"recursive": False}, {1, 2, 3}), ({"path": "Plans & more"}, {11, 12}),
         ({"path": "/Plans & more/", "recursive": False}, {11}), ({"path": "Plans & more/Deep"}, {12})],
    )  # fmt: skip
    def test_a_drive_or_a_folder_is_listed_with_or_without_what_is_below(self, folders, listing, numbers):
        assert items(connector(below(folders, **listing))).keys() == {name(number) for number in numbers}

    def test_a_folder_of_many_pages_is_listed_to_its_end(self, graph):
        for number in range(20, 40):
            graph.service.file(ident(number), f"{number}.md", b"One of many.")
        assert len(items(connector(below(graph, recursive=False)))) == 23
        assert len(items(connector(below(graph)))) == 23

    def test_a_path_that_is_a_file_is_no_folder(self, graph):
        with pytest.raises(ConfigurationError, match=r"listing\.path: 'File 1\.md' is no folder"):
            list(connector(below(graph, path="File 1.md")).list())

    @pytest.mark.parametrize(
        ("connection", "message"),
        [({"library": "Documets"}, "no library 'Documets'; it has Archive, Documents"),
         ({"site": "https://example.sharepoint.com/sites/nope"}, "there is no site"),
         ({"site": "https://example-admin.sharepoint.com"}, "expected the address of one site"),
         ({"authority_url": "login.example.com"}, "authority_url: expected an address")],
    )  # fmt: skip
    def test_a_library_or_site_that_is_not_there_is_named(self, sharepoint, connection, message):
        section = sharepoint.section()
        with pytest.raises(ConfigurationError, match=message):
            list(connector(section | {"connection": section["connection"] | connection}).list())

    def test_a_site_has_a_library_of_its_own(self, sharepoint):
        section = sharepoint.section()
        del section["connection"]["library"]
        assert len(items(connector(section))) == 3

    def test_a_person_without_a_drive_is_named(self):
        with served("onedrive") as case:
            section = case.section()
            section["connection"]["user_pname"] = "nobody@example.com"
            with pytest.raises(ConfigurationError, match=r"connection\.user_pname: there is no nobody@example.com"):
                list(connector(section).list())

    def test_teams_are_refused_with_what_to_name_instead(self, sharepoint):
        with pytest.raises(ConfigurationError, match=r"listing\.team_id: .* connection\.site"):
            list(connector(below(sharepoint, team_id="T1")).list())


class TestListing:
    def test_an_item_that_comes_again_is_one_document(self, sharepoint):
        """What changes while a drive is listed by its changes comes a second time."""
        again = {"value": [sharepoint.service.items[ident(1)]], "@odata.deltaLink": "https://x.test/later"}
        sharepoint.service.breaks = lambda path, query: (
            (200, again, {}) if query.get("$skiptoken") == ident(3) else None
        )
        found = [each.uri for each in connector(sharepoint.section()).list()]
        assert len(found) == len(set(found)) == 3

    def test_what_is_deleted_is_not_listed(self, sharepoint):
        sharepoint.service.items[ident(2)] = {"id": ident(2), "deleted": {}, "parentReference": {"id": ROOT}}
        assert items(connector(sharepoint.section())).keys() == {name(1), name(3)}

    def test_a_page_that_leads_nowhere_is_no_end(self, sharepoint):
        sharepoint.service.breaks = lambda path, query: (200, {"value": []}, {}) if "$skiptoken" in query else None
        with pytest.raises(SourceError, match="neither where the next one is nor that it is the last"):
            list(connector(sharepoint.section()).list())

    @pytest.mark.parametrize("link", ["https://elsewhere.test/v1.0/x", "{own}"])
    def test_a_next_page_elsewhere_or_the_same_is_no_listing(self, graph, link):
        own = []

        def breaks(path, query):
            if path.endswith(("/delta", "/children")):
                own.append(f"{graph.service.address}{path}?again=1")
                return 200, {"value": [], "@odata.nextLink": link.format(own=own[-1])}, {}
            return None

        graph.service.breaks = breaks
        with pytest.raises(SourceError, match=r"another host|is itself"):
            list(connector(graph.section()).list())
        assert len(own) <= 2

    def test_notebooks_shortcuts_and_empty_files_are_counted(self, graph):
        for number, change in (
            (7, {"package": {"type": "oneNote"}}),
            (8, {"remoteItem": {"id": "x"}}),
            (9, {"size": 0}),
        ):
            graph.service.file(ident(number), f"{number}.md", b"Words.")
            graph.service.items[ident(number)] |= change
        del graph.service.items[ident(7)]["file"]
        source = connector(graph.section())
        assert len(items(source)) == 3
        assert all(isinstance(each, Ignored) for each in others(source))
        assert sorted(each.reason for each in others(source)) == [
            "empty", "notebook, or another package of OneDrive", "shortcut to another drive",
        ]  # fmt: skip

    def test_a_file_without_a_hash_goes_by_its_tag(self, graph):
        source = connector(graph.section())
        del graph.service.items[ident(1)]["file"]["hashes"]
        before = items(source)
        graph.service.items[ident(1)]["cTag"] = '"another"'
        assert [each for each, item in items(source).items() if item != before[each]] == [name(1)]
        del graph.service.items[ident(1)]["cTag"]
        [failure] = others(source)
        assert "no version" in failure.reason

    def test_types_that_nothing_reads_are_counted_and_not_read(self, graph):
        graph.service.file(ident(5), "Setup.exe", b"MZ")
        source = connector(graph.section())
        object.__setattr__(source.context, "wanted", lambda media_type: media_type == "text/markdown")
        assert len(items(source)) == 3
        assert [(each.reason, each.kind) for each in others(source)] == [("type that is not read", ".exe")]


class TestReading:
    def test_a_file_comes_from_another_host_which_gets_no_token(self, graph):
        source = connector(graph.section())
        item = items(source)[name(1)]
        assert "Words of file 1" in text(source, item)
        assert graph.service.downloads == [False]
        metadata = source.read(item).metadata
        assert metadata["url"] == "https://example.sharepoint.com/sites/eng/Documents/File%201.md"
        assert source.page(item.uri, metadata) == metadata["url"]

    def test_a_token_is_used_again(self, graph):
        source = connector(graph.section())
        for item in items(source).values():
            source.read(item)
        assert graph.service.tokens_given == 1

    def test_a_token_is_replaced_before_its_end(self, graph):
        graph.service.token_seconds = 100  # less than the two minutes by which it is replaced early
        source = connector(graph.section())
        assert len(items(source)) == 3
        given = graph.service.tokens_given
        assert len(items(source)) == 3
        assert graph.service.tokens_given > given

    def test_a_ready_token_needs_no_secret_of_an_app(self, graph):
        assert len(items(connector(graph.section() | {"secrets": {"oauth_token": TOKEN}}))) == 3
        assert graph.service.tokens_given == 0


class TestReaders:
    def test_they_are_people_groups_and_links(self, graph):
        over, later = "2026-01-01T00:00:00Z", "2999-01-01T00:00:00Z"
        link = {"id": "l", "roles": ["read"], "link": {"scope": "organization", "type": "view"}}
        to_some = {"grantedToIdentitiesV2": [{"siteUser": {"email": "Eve@example.com"}}]}
        graph.service.readers[ident(1)] = [
            granted("Ann@Example.com", role="owner"),
            granted(group="group-7"),
            {
                "id": "s",
                "roles": ["sp.contribute"],
                "grantedToV2": {"siteGroup": {"id": "5", "displayName": "Members"}},
            },
            {"id": "e", "roles": ["read"], "grantedToV2": {"siteUser": {"displayName": "Everyone"}}},
            link,
            {"id": "a", "roles": ["read"], "link": {"scope": "anonymous"}, "hasPassword": True},
            {"id": "u", "roles": ["write"], "link": {"scope": "users"}, **to_some},
            granted("bob@example.com", role="sp.limited access"),
            granted("dan@example.com") | {"expirationDateTime": over},
            granted("fay@example.com") | {"expirationDateTime": later},
            granted("gus@example.com") | {"expirationDateTime": "0001-01-01T00:00:00Z"},
        ]
        source = connector(graph.section())
        assert readers(source, 1) == [
            "group:group-7", "link:organization", "site-group:Everyone", "site-group:Members",
            "user:ann@example.com", "user:eve@example.com", "user:fay@example.com", "user:gus@example.com",
        ]  # fmt: skip
        graph.service.readers[ident(1)] = [link | {"link": {"scope": "anonymous"}}]
        assert readers(source, 1) == ["link:anyone"]

    def test_twenty_files_are_one_request(self, sharepoint):
        for number in range(20, 65):
            sharepoint.service.file(ident(number), f"{number}.md", b"One of many.")
        sharepoint.service.size = 100
        assert len(items(connector(sharepoint.section()))) == 48
        assert sum(path.endswith("$batch") for path in sharepoint.service.requests) == 3

    def test_those_that_are_refused_for_now_are_asked_for_again(self, graph):
        graph.service.busy = {ident(1): 2, ident(3): 1}
        source = connector(graph.section())
        assert len(items(source)) == 3
        assert not any(graph.service.busy.values())

    def test_those_that_stay_refused_end_the_listing(self, graph):
        graph.service.busy = {ident(2): 99}
        with pytest.raises(SourceError, match="asks for fewer requests"):
            list(connector(graph.section()).list())

    def test_a_file_whose_readers_are_refused_is_a_failure_and_not_open_to_all(self, graph):
        source = connector(graph.section())
        item = items(source)[name(2)]
        graph.service.broken = {ident(2): 403}
        assert items(source).keys() == {name(1), name(3)}
        [failure] = others(source)
        assert failure.uri == item.uri
        assert "who may read it cannot be found out (HTTP 403)" in failure.reason
        with pytest.raises(DocumentError, match="who may read it cannot be found out") as caught:
            source.read(item)
        assert caught.value.uri == item.uri

    def test_a_batch_without_all_answers_is_no_listing(self, graph):
        graph.service.breaks = lambda path, query: (200, {"responses": []}, {}) if path.endswith("$batch") else None
        with pytest.raises(SourceError, match="less answers than requests"):
            list(connector(graph.section()).list())

    def test_they_cost_nothing_where_nobody_wants_them(self, graph):
        source = connector(graph.section() | {"permissions": False})
        assert "principals" not in source.read(items(source)[name(1)]).metadata
        assert not [path for path in graph.service.requests if path.endswith("$batch")]


def test_the_stand_in_has_no_token_for_another_secret(graph):
    section = graph.section() | {"secrets": {"client_cred": "another"}}
    with pytest.raises(SourceError, match=r"refuses these credentials \(HTTP 401, invalid_client\)"):
        list(connector(section).list())
    assert graph_service.SECRET != "another"
