"""What goes wrong on purpose, and what is counted."""

import asyncio
import time

import httpx
import pytest

from relance_emulator import EmulatorConfig, running
from relance_emulator.fault import ACTIONS
from relance_emulator.faults import Faults
from relance_emulator.problems import DOCUMENTED
from relance_emulator.wire import Call

NATIVE = "/api/v1/services/embeddings/text-embedding/text-embedding"
COMPATIBLE = "/compatible-mode/v1/embeddings"
V4 = "text-embedding-v4"
BODY = {"model": V4, "input": {"texts": ["one", "two", "three"]}}


@pytest.fixture
def ask(emulator):
    with httpx.Client(base_url=emulator.url, trust_env=False, headers={"authorization": "Bearer sk-test"}) as client:
        yield lambda path=NATIVE, body=BODY: client.post(path, json=body)


@pytest.mark.parametrize("name", DOCUMENTED)
def test_every_documented_error_can_be_had_on_both_routes(emulator, ask, name):
    emulator.faults([{"action": name}])
    documented = DOCUMENTED[name]
    native = ask()
    assert native.status_code == documented.status
    assert native.json()["code"] == (documented.native or name)
    assert native.json()["message"] == documented.message
    assert native.headers["content-type"] == "application/json"
    assert "retry-after" not in native.headers
    error = ask(COMPATIBLE).json()["error"]
    assert error["code"] == (documented.said.code if documented.said else documented.native or name)
    assert error["message"]


def test_an_unknown_fault_is_refused_with_the_known_ones(emulator):
    reply = httpx.post(f"{emulator.url}/_emulator/faults", json=[{"action": "nonesuch"}], trust_env=False)
    assert reply.status_code == 400
    assert "shuffled" in reply.json()["error"]
    assert "Throttling.RateQuota" in reply.json()["error"]


def test_words_and_waiting_time_of_an_error_can_be_chosen(emulator, ask):
    emulator.faults([{"action": "Throttling", "message": "Slow down.", "retry_after": 2}])
    reply = ask()
    assert reply.json()["message"] == "Slow down."
    assert reply.headers["retry-after"] == "2"


def test_a_reset_connection_gives_no_answer(emulator, ask):
    emulator.faults([{"action": "reset", "times": 1}])
    with pytest.raises(httpx.ReadError):
        ask()
    assert ask().status_code == 200
    # The client may hear of it before it is counted.
    assert any(emulator.stats()["by_status"] == {"none": 1, "200": 1} or time.sleep(0.05) for _ in range(100))


def test_a_truncated_answer_ends_in_the_middle(emulator, ask):
    emulator.faults([{"action": "truncated", "times": 1}])
    with pytest.raises(httpx.RemoteProtocolError):
        ask()
    assert ask().status_code == 200
    stats = emulator.stats()
    assert (stats["texts"], stats["duplicates"]) == (3, 0), "what was cut off is not delivered"


def test_a_slow_answer_takes_its_time_and_is_not_delivered_to_who_has_gone(emulator):
    emulator.faults([{"action": "slow", "seconds": 0.3, "times": 1}])
    with httpx.Client(base_url=emulator.url, trust_env=False, headers={"authorization": "Bearer sk-x"}) as client:
        with pytest.raises(httpx.ReadTimeout):
            client.post(NATIVE, json=BODY, timeout=0.1)
        assert client.post(NATIVE, json=BODY).status_code == 200
    deadline = time.monotonic() + 10
    while emulator.stats()["in_flight"] and time.monotonic() < deadline:
        time.sleep(0.02)
    assert (emulator.stats()["texts"], emulator.stats()["duplicates"]) == (3, 0)


def test_status_200_can_hold_an_error(emulator, ask):
    emulator.faults([{"action": "ok_with_code", "code": "Throttling.RateQuota"}])
    reply = ask()
    assert reply.status_code == 200
    assert reply.json()["code"] == "Throttling.RateQuota"
    assert ask(COMPATIBLE).json()["error"]["code"] == "limit_requests"


def test_a_gateway_can_answer_with_a_page(emulator, ask):
    emulator.faults([{"action": "html"}])
    reply = ask()
    assert reply.status_code == 502
    assert reply.headers["content-type"] == "text/html"
    assert reply.text.startswith("<html>")


def test_items_can_be_out_of_order_or_missing_and_the_bill_as_well(emulator, ask):
    right = ask().json()["output"]["embeddings"]
    emulator.faults([{"action": action, "times": 1} for action in ("shuffled", "missing_item", "missing_usage")])
    shuffled, missing, unbilled = (ask().json() for _ in range(3))
    assert [item["text_index"] for item in shuffled["output"]["embeddings"]] == [2, 1, 0]
    assert sorted(shuffled["output"]["embeddings"], key=lambda item: item["text_index"]) == right
    assert missing["output"]["embeddings"] == right[:2]
    assert "usage" in missing
    assert "usage" not in unbilled
    assert unbilled["output"]["embeddings"] == right


@pytest.mark.parametrize(
    ("rule", "hit"),
    [
        ({"kind": "text"}, [True, False]),
        ({"kind": "compatible"}, [False, True]),
        ({"path": "text-embedding/"}, [True, False]),
        ({"model": V4}, [True, True]),
        ({"model": "text-embedding-v3"}, [False, False]),
        ({"match": "tw"}, [True, False]),
        ({"skip": 1}, [False, True]),
        ({"times": 1}, [True, False]),
        ({"probability": 0.0}, [False, False]),
    ],
)
def test_a_rule_hits_what_it_is_for(emulator, ask, rule, hit):
    emulator.faults([{"action": "InternalError", **rule}])
    replies = ask(), ask(COMPATIBLE, {"model": V4, "input": "four"})
    assert [reply.status_code == 500 for reply in replies] == hit


def test_chance_is_repeatable_and_about_as_likely_as_said():
    call = Call(kind="text", method="POST", path=NATIVE, origin="", headers={})

    def rolls(seed):
        faults = Faults(seed)
        faults.replace([{"action": "Throttling", "probability": 0.2}])
        return [faults.pick(call) is not None for _ in range(2000)]

    assert rolls(1) == rolls(1) != rolls(2)
    assert 0.15 < sum(rolls(1)) / 2000 < 0.25


def test_all_actions_are_documented():
    assert all(ACTIONS.values())
    assert not ACTIONS.keys() & DOCUMENTED.keys()


def test_statistics_count_texts_tokens_duplicates_and_refusals(emulator, ask):
    emulator.faults([{"action": "Throttling", "times": 2}])
    codes = [ask().status_code for _ in range(4)]
    ask(COMPATIBLE, {"model": V4, "input": ["four", "one"]})
    ask(NATIVE, {**BODY, "parameters": {"text_type": "query"}})
    stats = emulator.stats()
    assert codes == [429, 429, 200, 200]
    assert (stats["requests"], stats["rejected"]) == (6, 2)
    # Three twice; "one" a third time with "four", which is new; the questions are not the passages.
    assert (stats["texts"], stats["duplicates"]) == (11, 4)
    assert stats["tokens"] == sum(stats["tokens_by_model"].values()) == 22
    assert stats["by_path"] == {NATIVE: 5, COMPATIBLE: 1}
    assert stats["by_status"] == {"429": 2, "200": 4}
    assert stats["first_request"] <= stats["last_request"]
    emulator.reset()
    assert emulator.stats()["requests"] == 0


def test_the_peak_of_requests_in_flight_is_seen():
    with running(EmulatorConfig(base_ms=150, vectors="hash")) as url:

        async def main():
            async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
                headers = {"authorization": "Bearer sk-x"}
                began = time.monotonic()
                await asyncio.gather(*(client.post(NATIVE, json=BODY, headers=headers) for _ in range(20)))
                return time.monotonic() - began, (await client.get("/_emulator/stats")).json()

        seconds, stats = asyncio.run(main())
    assert stats["peak_in_flight"] == 20
    assert stats["in_flight"] == 0
    assert seconds >= 0.15


def test_a_call_to_nowhere_is_counted_and_the_emulator_s_own_are_not(emulator, ask):
    assert ask("/api/v1/nonesuch").status_code == 404
    assert emulator.stats()["by_path"] == {"/api/v1/nonesuch": 1}


def test_no_key_is_kept(emulator):
    for headers in ({"authorization": "Bearer sk-secret"}, {"x-dashscope-apikey": "sk-secret"}):
        httpx.post(f"{emulator.url}{NATIVE}", json=BODY, headers=headers, trust_env=False)
    assert len(emulator.requests()) == 2
    assert "sk-secret" not in str(emulator.requests())
