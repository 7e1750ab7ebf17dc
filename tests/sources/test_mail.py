"""The `mail` source: IMAP folders and Maildirs are followed, read once, and left as they were."""

import os
import socket
import threading
from pathlib import Path

import pytest
from mail_servers import Account, mail, needs_dovecot
from pydantic import SecretStr

from relance.documents import Ignored, Item
from relance.errors import ConfigurationError, DocumentError, RelanceError, SourceError
from relance.sources import SourceContext
from relance.sources.mail import Mail
from relance.sources.mail.folder_names import decoded, encoded, listed
from relance.sources.mail.maildir import MaildirBox
from relance.sources.mail.spec import MailSpec


@pytest.fixture
def account(imap_server, request) -> Account:
    """An account that nobody used before."""
    return Account(imap_server.port, imap_server.mails, f"u{abs(hash(request.node.nodeid)) % 10**9}")


def imap(account, **options):
    section = {"type": "mail", "host": "127.0.0.1", "port": account.port, "security": "none",
               "username": account.user, "password": account.password}  # fmt: skip
    return section | options


def of(section, folder=Path("/")):
    return Mail(MailSpec.model_validate(section), SourceContext(folder))


def items(source):
    return [each for each in source.list() if isinstance(each, Item)]


def put(root, folder, name, data, where="cur"):
    place = root / folder if folder else root
    for each in ("cur", "new", "tmp"):
        (place / each).mkdir(parents=True, exist_ok=True)
    (place / where / name).write_bytes(data)
    return place / where / name


@pytest.fixture
def maildir(tmp_path):
    root = tmp_path / "Maildir"
    put(root, "", "1700000001.a.host:2,S", mail("One", "The first."))
    put(root, "", "1700000002.b.host", mail("Two", "The second."), "new")
    put(root, ".Archive.2024", "1700000003.c.host,S=999:2,", mail("Three", "The third."))
    put(root, ".Trash", "1700000004.d.host:2,", mail("Four", "The fourth."))
    return root


def of_maildir(root, **options):
    return of({"type": "mail", "maildir": "Maildir", **options}, root.parent)


def test_a_maildir_is_listed_by_its_unchanging_names(maildir):
    source = of_maildir(maildir)
    listed_ = items(source)
    assert [(item.uri, item.version, item.size) for item in listed_] == [
        ("maildir://./Maildir/Archive/2024/1700000003.c.host,S=999", "1700000003.c.host,S=999", 999),
        ("maildir://./Maildir/INBOX/1700000001.a.host", "1700000001.a.host", 0),
        ("maildir://./Maildir/INBOX/1700000002.b.host", "1700000002.b.host", 0),
    ]
    assert [(each.uri, each.reason) for each in source.list() if isinstance(each, Ignored)] == [
        ("maildir://./Maildir/Trash/", "in exclude"),
    ]
    (maildir / "new/1700000002.b.host").rename(maildir / "cur/1700000002.b.host:2,RS")  # somebody read it
    assert items(source) == listed_
    assert b"The second." in source.read(listed_[2]).data
    (maildir / "cur/1700000002.b.host:2,RS").rename(maildir / "cur/1700000002.b.host:2,FRS")
    assert b"The second." in source.read(listed_[2]).data
    assert b"The second." in of_maildir(maildir).read(listed_[2]).data
    (maildir / "cur/1700000002.b.host:2,FRS").unlink()
    with pytest.raises(DocumentError, match="no such message"):
        source.read(listed_[2])


def test_folders_and_days_are_chosen(maildir):
    def names(**options):
        return [item.uri.removeprefix("maildir://./Maildir/") for item in items(of_maildir(maildir, **options))]

    assert names(folders=["Archive/*"]) == ["Archive/2024/1700000003.c.host,S=999"]
    assert names(folders=["Trash"], exclude=[]) == ["Trash/1700000004.d.host"]
    assert names(since="2099-01-01") == []
    assert len(names(since="2023-01-01")) == 3
    with pytest.raises(ConfigurationError, match=r"no folder matches.*Archive/2024, INBOX, Trash"):
        names(folders=["Nowhere"])


def test_a_maildir_that_is_not_there_is_no_empty_one(tmp_path):
    with pytest.raises(ConfigurationError, match="does not exist"):
        items(of_maildir(tmp_path / "Maildir"))
    (tmp_path / "Maildir").mkdir()
    with pytest.raises(ConfigurationError, match="is no Maildir"):
        items(of_maildir(tmp_path / "Maildir"))


def test_a_folder_that_cannot_be_listed_ends_the_listing(maildir, monkeypatch):
    real = os.scandir

    def scandir(path):
        if str(path).endswith("Archive.2024/cur"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(SourceError, match="cannot be listed: permission denied"):
        items(of_maildir(maildir))


def test_a_mail_that_is_renamed_while_we_look_is_not_missed(maildir, monkeypatch):
    """The system may show neither name of a file that is renamed meanwhile."""
    real, done = os.scandir, []

    class Blind:
        def __init__(self, path):
            self.inner = real(path)

        def __enter__(self):
            return [entry for entry in self.inner.__enter__() if not entry.name.startswith("1700000001")]

        def __exit__(self, *error):
            self.inner.close()
            os.utime(maildir / "cur")

    def scandir(path):
        if str(path) == str(maildir / "cur") and not done:
            done.append(path)
            return Blind(path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert "1700000001.a.host" in MaildirBox(maildir, MailSpec(type="mail", maildir=maildir))._scan(maildir)
    assert done


def test_an_index_of_a_maildir_follows_it_and_pays_once(maildir, make_index, log):
    index = make_index(sources=[{"type": "mail", "maildir": "Maildir"}])
    assert index.ingest().added == 3
    (hit,) = [hit for hit in index.search("third") if "third" in hit.text]
    assert hit.uri == "maildir://./Maildir/Archive/2024/1700000003.c.host,S=999#message"
    assert (hit.metadata["from"], hit.metadata["to"]) == ("Ada <ada@example.com>", ["Bob <bob@example.com>"])
    assert (hit.metadata["subject"], hit.metadata["date"]) == ("Three", "2025-09-02T10:00:00+00:00")
    bought = len(log())
    (maildir / "cur/1700000001.a.host:2,S").rename(maildir / ".Archive.2024/cur/1700000001.a.host:2,S")  # moved
    (maildir / "new/1700000002.b.host").rename(maildir / "cur/1700000002.b.host:2,S")  # read
    put(maildir, "", "1700000009.e.host", mail("Five", "The fifth.", attached="# Notes\n\nOf the attachment."), "new")
    (maildir / ".Archive.2024/cur/1700000003.c.host,S=999:2,").unlink()
    report = index.ingest()
    assert (report.added, report.removed, report.unchanged) == (3, 2, 1)
    assert report.embedded == 2
    assert len(log()) == bought + 2
    maildir.rename(maildir.with_name("away"))
    with pytest.raises(RelanceError):
        index.ingest()
    assert len(index.search("the", k=20)) == 4


@needs_dovecot
def test_an_account_is_read_and_left_as_it_was(account, log, make_index):
    account.put("INBOX", mail("One", "The first."))
    account.put("INBOX", mail("Two", "The second.", attached="# Notes\n\nAttached."))
    account.put("Archive", mail("Three", "The third."))
    account.put("Trash", mail("Four", "The fourth."))
    index = make_index(sources=[imap(account)])
    report = index.ingest()
    assert (report.added, report.failed) == (4, 0)
    uris = {hit.uri for hit in index.search("the", k=20)}
    base = f"imap://127.0.0.1:{account.port}/{account.user}"
    assert uris == {f"{base}/Archive/;UID=1#message", f"{base}/INBOX/;UID=1#message", f"{base}/INBOX/;UID=2#message",
                    f"{base}/INBOX/;UID=2#notes.md"}  # fmt: skip
    with account.client() as client:
        client.select("INBOX", readonly=True)
        assert client.search(None, "UNSEEN")[1] == [b"1 2"]
        client.select("INBOX")
        client.store("1", "+FLAGS", "\\Seen")  # flags change nothing
    bought = len(log())
    report = index.ingest()
    assert (report.unchanged, report.embedded) == (4, 0)
    with account.client() as client:
        client.select("INBOX")
        client.copy("1", "Archive")  # moved
        client.store("1", "+FLAGS", "\\Deleted")
        client.expunge()
    account.put("INBOX", mail("Five", "The fifth."))
    report = index.ingest()
    assert (report.added, report.removed, report.embedded) == (2, 1, 1)
    assert len(log()) == bought + 1


@needs_dovecot
def test_a_folder_that_was_numbered_anew_is_read_again_and_not_paid_again(account, make_index, log):
    account.put("Lists", mail("One", "The first."))
    index = make_index(sources=[imap(account, folders=["Lists"])])
    index.ingest()
    (before,) = items(of(imap(account, folders=["Lists"])))
    reader = of(imap(account, folders=["Lists"]))
    with account.client() as client:
        client.delete("Lists")
    account.put("Lists", mail("One", "The first."))
    (after,) = items(reader)
    assert (after.uri == before.uri, after.version == before.version) == (True, False)
    with pytest.raises(DocumentError, match="numbered the folder anew"):
        reader.read(before)
    report = index.ingest()
    assert (report.removed, report.embedded) == (0, 0)


@needs_dovecot
def test_names_of_folders_that_are_no_ascii(account):
    account.put(encoded("Entwürfe & 文档"), mail("One", "The first."))
    (item,) = items(of(imap(account, folders=["Entw*"])))
    assert item.uri.endswith("/Entwürfe & 文档/;UID=1")
    assert b"The first." in of(imap(account)).read(item).data


@needs_dovecot
def test_many_messages_are_listed_in_blocks(account, monkeypatch):
    monkeypatch.setattr("relance.sources.mail.imap._BLOCK", 7)
    with account.client() as client:
        for number in range(25):
            client.append("INBOX", "", None, mail(f"M{number}", f"Text {number}."))
        client.select("INBOX")
        client.store("3,4,9", "+FLAGS", "\\Deleted")
        client.expunge()
    source = of(imap(account))
    found = items(source)
    assert [item.uri.rpartition("=")[2] for item in found] == [str(n) for n in range(1, 26) if n not in (3, 4, 9)]
    assert all(item.size > 100 for item in found)
    assert items(of(imap(account, since="2099-01-01"))) == []
    assert len(items(of(imap(account, since="2020-01-01")))) == 22
    with pytest.raises(DocumentError, match="no such message"):
        source.read(Item(found[0].uri.replace("UID=1", "UID=3"), "", "message/rfc822"))
    with pytest.raises(DocumentError, match="max_size"):
        of(imap(account, max_size="10B")).read(found[0])


@needs_dovecot
def test_a_wrong_password_is_said_and_shown_nowhere(account, caplog):
    secret = "not-the-password-0123"
    with pytest.raises(SourceError, match="refuses the credentials of") as caught:
        items(of(imap(account, password=secret)))
    source = of(imap(account, password=secret))
    assert secret not in str(caught.value) + caplog.text + repr(source.spec) + str(source.location())


@needs_dovecot
def test_a_connection_that_was_lost_is_opened_again(account):
    account.put("INBOX", mail("One", "The first."))
    source = of(imap(account))
    (item,) = items(source)
    source.read(item)
    source._box._reading.sock.shutdown(socket.SHUT_RDWR)
    assert b"The first." in source.read(item).data


def test_a_server_that_is_away_is_said():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        account = Account(free.getsockname()[1])
        with pytest.raises(SourceError, match="cannot be reached now"):
            items(of(imap(account)))
        with pytest.raises(DocumentError, match="cannot be reached now"):
            of(imap(account)).read(Item(f"imap://127.0.0.1:{account.port}/ada/INBOX/;UID=1", "1.1", "message/rfc822"))


class Broken:
    """A server that answers by a script: what it says to each command, then it hangs up."""

    def __init__(self, answers):
        self.answers = answers
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.asked: list[bytes] = []
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        connection, _ = self.listener.accept()
        with connection, connection.makefile("rwb") as stream:
            stream.write(b"* OK ready\r\n")
            stream.flush()
            while line := stream.readline():
                self.asked.append(line)
                tag, command = line.split()[:2]
                answer = self.answers.get(command.decode().upper())
                if answer is None:
                    return
                stream.write(answer + tag + b" OK done\r\n")
                stream.flush()

    def close(self):
        self.listener.close()
        self.thread.join(5)


GOOD = {
    "CAPABILITY": b"* CAPABILITY IMAP4rev1\r\n",
    "LOGIN": b"",
    "LIST": b'* LIST (\\HasNoChildren) "/" INBOX\r\n* LIST () "/" {5}\r\nB\\"ox\r\n',
    "EXAMINE": b"* 3 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n",
    "FETCH": b"".join(b"* %d FETCH (UID %d RFC822.SIZE 9)\r\n" % (n, n) for n in (1, 2, 3)),
}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"FETCH": b"* 1 FETCH (UID 1 RFC822.SIZE 9)\r\n"}, "has 3 messages, and 1 of them were listed"),
        ({"FETCH": None}, r"listed to its end|cannot be reached"),
        ({"EXAMINE": None}, r"listed to its end|cannot be reached"),
        ({"LIST": b"", "EXAMINE": b""}, "no folder matches"),
    ],
)
def test_a_listing_that_breaks_off_is_never_a_shorter_one(change, says):
    server = Broken(GOOD | change)
    try:
        with pytest.raises((SourceError, ConfigurationError), match=says):
            items(of(imap(Account(server.port))))
    finally:
        server.close()


def test_nothing_that_changes_a_mailbox_is_ever_asked():
    server = Broken(GOOD)
    try:
        assert len(items(of(imap(Account(server.port))))) == 6
    finally:
        server.close()
    commands = {line.split()[1].decode().upper() for line in server.asked}
    assert commands <= {"CAPABILITY", "LOGIN", "LIST", "EXAMINE", "FETCH", "LOGOUT"}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b'(\\HasNoChildren) "/" "INBOX"', ("INBOX", "/", ["\\HasNoChildren"])),
        (b'(\\Trash) "." INBOX.Trash', ("INBOX.Trash", ".", ["\\Trash"])),
        (b'() NIL "a \\"b\\" \\\\c"', ('a "b" \\c', "", [])),
        ((b'() "/" {3}', b'a"b'), ('a"b', "/", [])),
        (b'() "\\\\" x', ("x", "\\", [])),
        (b"nonsense", None),
    ],
)
def test_answers_to_list(line, expected):
    assert listed(line) == expected


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("INBOX", '"INBOX"'),
        ("a & b", '"a &- b"'),
        ("Entwürfe", '"Entw&APw-rfe"'),
        ("台北", '"&U,BTFw-"'),
        ('q"\\', '"q\\"\\\\"'),
    ],
)
def test_names_go_both_ways(name, written):
    assert encoded(name) == written
    assert decoded(written[1:-1].replace('\\"', '"').replace("\\\\", "\\")) == name


@pytest.mark.parametrize("section", [{}, {"maildir": "x", "host": "y"}, {"host": "y"}, {"maildir": "."}, {"host": "y", "username": "u", "security": "ssl"}])  # fmt: skip
def test_a_section_that_cannot_work_is_refused(section):
    with pytest.raises(ValueError, match=r"maildir|username|security"):
        MailSpec.model_validate({"type": "mail"} | section)


def test_only_messages_of_the_account_have_a_location():
    source = of({"type": "mail", "host": "Mail.example.com", "username": "ada@example.com", "password": SecretStr("x")})
    base = "imap://mail.example.com/ada@example.com"
    assert source.location().text == base
    for uri in (f"{base}/INBOX/;UID=1", f"{base}/a/b/;UID=12#message", f"{base}/INBOX/;UID=1#a/b.pdf"):
        assert source.location(uri) is not None
    for uri in (
        f"{base}/INBOX",
        f"{base}/INBOX/;UID=x",
        "imap://mail.example.com/bob/INBOX/;UID=1",
        f"{base}/../b/;UID=1",
    ):
        assert source.location(uri) is None
