"""The sandbox's lists: pages, orders, filters."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.sandbox_talk import Talk, fields_of, talking


@pytest.fixture
async def talk() -> AsyncIterator[Talk]:
    async with talking() as talk:
        yield talk


async def fill(talk: Talk, count: int) -> tuple[str, list[str]]:
    """So many test cases in one set; its id and theirs, oldest first."""
    test_set = await talk.make("/test-sets", {"display_name": "Big"})
    ids = [
        (await talk.make("/test-cases", {"input_str": f"case {n}", "test_set_id": test_set["id"]}))["id"]
        for n in range(count)
    ]
    return test_set["id"], ids


async def walk(talk: Talk, path: str, **query: Any) -> list[list[str]]:
    pages: list[list[str]] = []
    token: str | None = ""
    while token is not None:
        _, answer = await talk.say("GET", path, query=query | ({"page_token": token} if token else {}))
        token = answer.pop("next_page_token")
        (items,) = answer.values()
        pages.append([item["id"] for item in items])
    return pages


def flat(pages: list[list[str]]) -> list[str]:
    return [id_ for page in pages for id_ in page]


async def test_251_rows_are_paged_whole_in_both_orders(talk: Talk) -> None:
    test_set_id, ids = await fill(talk, 251)
    newest_first = await walk(talk, "/test-cases")
    assert [len(page) for page in newest_first] == [50] * 5 + [1]
    assert flat(newest_first) == ids[::-1]
    oldest_first = await walk(talk, "/test-cases", order_by="create_time", page_size=100)
    assert flat(oldest_first) == ids
    filtered = await walk(talk, "/test-cases", filter=f"test_set_id={test_set_id}", page_size=100)
    assert [len(page) for page in filtered] == [100, 100, 51]


async def test_rows_added_and_deleted_between_pages_shift_nothing(talk: Talk) -> None:
    test_set_id, ids = await fill(talk, 6)
    _, first = await talk.say("GET", "/test-cases", query={"page_size": 3})
    await talk.make("/test-cases", {"input_str": "late", "test_set_id": test_set_id})
    await talk.say("DELETE", f"/test-cases/{ids[5]}")
    query = {"page_size": 3, "page_token": first["next_page_token"]}
    _, second = await talk.say("GET", "/test-cases", query=query)
    assert [case["id"] for case in second["test_cases"]] == [ids[2], ids[1], ids[0]]
    assert second["next_page_token"] is None


async def test_lists_order_by_update_time_and_name(talk: Talk) -> None:
    ids = [
        (await talk.make("/test-sets", {"display_name": name, "slug": f"s{n}"}))["id"]
        for n, name in enumerate(["b", "a", "b", "c"])
    ]
    await talk.say("PATCH", f"/test-sets/{ids[1]}", {"description": "x"})
    await talk.say("PATCH", f"/test-sets/{ids[0]}", {"description": "x"})
    by_name = await walk(talk, "/test-sets", order_by="display_name", page_size=1)
    assert flat(by_name) == [ids[1], ids[0], ids[2], ids[3]]
    by_update = await walk(talk, "/test-sets", order_by="update_time desc", page_size=2)
    assert flat(by_update) == [ids[0], ids[1], ids[3], ids[2]]


async def test_filters_take_operators_quotes_times_and_joints(talk: Talk) -> None:
    kinds = ["SCENARIO", "SCENARIO", "TRANSCRIPT"]
    names = ["Card disputes", "Airline", 'The "gold" line']
    sets = [
        await talk.make("/test-sets", {"display_name": name, "test_set_type": kind})
        for name, kind in zip(names, kinds, strict=True)
    ]

    async def names_of(filter_: str) -> list[str]:
        return [item["display_name"] for item in await talk.items("/test-sets", order_by="create_time", filter=filter_)]

    second = sets[1]["create_time"]
    assert await names_of("test_set_type=SCENARIO") == names[:2]
    assert await names_of('display_name="Card disputes"') == names[:1]
    assert await names_of(r'display_name = "The \"gold\" line"') == names[2:]
    assert await names_of("test_set_type != SCENARIO") == names[2:]
    assert await names_of(f'test_set_type=SCENARIO AND create_time>="{second}"') == names[1:2]
    assert await names_of(f"create_time>{second}") == names[2:]
    assert await names_of(f"create_time<={second}") == names[:2]
    assert await names_of("test_set_type=TRANSCRIPT OR display_name<B") == names[1:]
    assert await names_of("update_time>2020-01-01T00:00:00Z") == []


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ({"page_size": "101"}, "page_size"),
        ({"page_size": "0"}, "page_size"),
        ({"page_size": "many"}, "page_size"),
        ({"page_token": "bm8"}, "page_token"),
        ({"order_by": "input_str"}, "order_by"),
        ({"order_by": "--create_time"}, "order_by"),
        ({"filter": "colour=red"}, "filter"),
        ({"filter": "test_set_id="}, "filter"),
        ({"filter": "input_type=IVR AND"}, "filter"),
        ({"filter": 'input_type="IVR'}, "filter"),
        ({"filter": "create_time>yesterday"}, "filter"),
    ],
)
async def test_a_list_request_that_is_wrong_names_its_parameter(
    talk: Talk, query: dict[str, str], parameter: str
) -> None:
    status, answer = await talk.say("GET", "/test-cases", query=query)
    assert (status, answer["error"]["code"], fields_of(answer)) == (400, "INVALID_ARGUMENT", [parameter])


async def test_a_page_token_belongs_to_its_filter_and_order(talk: Talk) -> None:
    await fill(talk, 2)
    _, first = await talk.say("GET", "/test-cases", query={"page_size": 1})
    query = {"page_size": 1, "page_token": first["next_page_token"], "order_by": "create_time"}
    assert (await talk.say("GET", "/test-cases", query=query))[0] == 400


async def test_run_templates_are_neither_filtered_nor_ordered_and_runs_have_long_pages(talk: Talk) -> None:
    assert (await talk.say("GET", "/run-templates", query={"filter": "display_name=x"}))[0] == 400
    assert (await talk.say("GET", "/run-templates", query={"order_by": "create_time"}))[0] == 400
    assert (await talk.say("GET", "/run-templates"))[1] == {"run_templates": [], "next_page_token": None}
    assert (await talk.say("GET", "/runs", query={"page_size": 1000}))[0] == 200
