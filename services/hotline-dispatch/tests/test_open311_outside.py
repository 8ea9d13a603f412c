"""Open311 as others see it: schemas of the standard, XML beside JSON, and an unmodified client."""

import asyncio
import json
import os
import re
import socket
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from georeport import GeoReport
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from tongban_common.db import Database
from tongban_common.testing import Client, Clock
from tongban_common.text import is_plain
from tongban_hotline_dispatch.api.open311_formats import Format, fields, respond
from tongban_hotline_dispatch.operations import open311

API = "/hotline/open311/v2"
OWN = Path(__file__).parent / "open311_schemas"
PUBLISHED = Path(os.environ.get("OPEN311_SCHEMAS", OWN))
ITEMS = {
    "services": "service",
    "service_requests": "request",
    "errors": "error",
    "attributes": "attribute",
    "values": "value",
    "endpoints": "endpoint",
    "formats": "format",
    "service_request_updates": "request_update",
}
REQUESTS = (
    {
        "service_code": "street-light",
        "lat": "26.647",
        "long": "106.6302",
        "description": "路灯不亮\n三天了",
        "attribute[FAULT]": "dark",
        "media_url": "https://pictures.example/1.jpg",
    },
    {
        "service_code": "road-damage",
        "address_string": "桂花路",
        "attribute[DAMAGE][]": ["hole", "cover"],
    },
    {"service_code": "suggestion", "description": "<建议> & “意见”"},
)


@pytest.fixture
async def key(db: Database, clock: Clock) -> str:
    async with db.transaction() as tx:
        _, secret = await open311.create_key(tx, client="app-a", actor="test", now=clock.now)
    return secret


@pytest.fixture
async def filed(client: Client, key: str, clock: Clock) -> list[str]:
    """The numbers of some requests, newest last."""
    numbers = []
    for each in REQUESTS:
        answer = await client.post(f"{API}/requests.json", data={"api_key": key, **each})
        numbers.append(answer.json()[0]["service_request_id"])
        clock.forward(seconds=1)
    return numbers


@pytest.fixture
async def live(app: FastAPI, filed: list[str]) -> AsyncIterator[str]:
    """The address of a real server, with some requests filed."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, lifespan="off", ws="none", log_config=None, access_log=False)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        while not server.started:  # noqa: ASYNC110 - the server has no event to wait for
            await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}{API}"
        server.should_exit = True
        await serving


def schema(name: str) -> Draft202012Validator:
    """The published schema where one is at hand, else the one that we wrote."""
    folder = PUBLISHED if (PUBLISHED / f"{name}.json").exists() else OWN
    resources = [
        (file.name, DRAFT202012.create_resource(json.loads(file.read_bytes())))
        for file in folder.glob("*.json")
    ]
    registry: Registry[Any] = Registry().with_resources(resources)
    return Draft202012Validator({"$ref": f"{name}.json"}, registry=registry)


async def test_every_answer_fits_its_schema(client: Client, key: str, filed: list[str]) -> None:
    consult = {"api_key": key, "service_code": "consult", "description": "咨询"}
    made = (await client.post(f"{API}/requests.json", data=consult)).json()
    updates = f"servicerequestupdates.json?api_key={key}"
    for name, path in (
        ("discovery", "discovery.json"),
        ("services", "services.json"),
        ("service-definition", "services/street-light.json"),
        ("service-definition", "services/road-damage.json"),
        ("service-definition", "services/noise.json"),
        ("service-definition", "services/waste.json"),
        ("requests", "requests.json"),
        ("requests", f"requests/{filed[0]}.json"),
        ("token", f"tokens/{made[0]['token']}.json"),
        ("updates", updates),
        ("errors", "requests/none.json"),
        ("errors", "requests.json?status=gone&page=x"),
    ):
        answer = (await client.get(f"{API}/{path}")).json()
        schema(name).validate(answer)
        assert answer, path
    schema("created").validate(made)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("services", [{"service_code": 1}]),
        ("requests", [{"service_request_id": 5, "status": "open"}]),
        ("created", [{"service_request_id": "1", "token": "2"}]),
        ("errors", []),
    ],
)
def test_the_schemas_refuse_what_is_wrong(name: str, wrong: list[dict[str, Any]]) -> None:
    assert not schema(name).is_valid(wrong)


@pytest.mark.parametrize(
    "path",
    [
        "discovery",
        "services",
        "services/street-light",
        "services/waste",
        "requests",
        "requests?extensions=true",
        "requests?status=closed",
        "requests/none",
        "requests?status=gone&page=x",
    ],
)
async def test_the_xml_says_what_the_json_says(client: Client, filed: list[str], path: str) -> None:
    name, _, query = path.partition("?")

    xml = (await client.get(f"{API}/{name}.xml?{query}")).content
    body = (await client.get(f"{API}/{name}.json?{query}")).json()

    assert spark(xml) == as_texts(body)


@given(st.text())
def test_only_plain_text_comes_in(text: str) -> None:
    came = fields([("description", text)])

    assert all(is_plain(each) for values in came.values() for each in values)
    assert came.get("description", [""])[0] == text.strip() or not is_plain(text) or "\r" in text


@pytest.mark.parametrize("form", ["json", "xml"])
async def test_the_client_from_pypi_is_served(live: str, filed: list[str], form: str) -> None:
    def ask() -> tuple[Any, ...]:
        city = GeoReport(live, jurisdiction="990000", output_format=form)
        return (
            city.get_service_list(),
            city.get_service_definition("street-light"),
            city.get_service_requests(status="open", start_date="2026-09-01T00:00:00+08:00"),
            city.get_service_requests(service_request_id=",".join(filed[:2])),
            city.get_service_request(filed[0]),
        )

    services, definition, requests, named, one = await asyncio.to_thread(ask)

    assert [each["service_code"] for each in services][:2] == ["street-light", "road-damage"]
    assert definition["service_code"] == "street-light"
    assert [each["service_request_id"] for each in requests] == filed[::-1]
    assert {each["service_request_id"] for each in named} == set(filed[:2])
    assert (one["service_name"], one["description"]) == ("路灯不亮或损坏", "路灯不亮\n三天了")
    assert float(one["lat"]) == 26.647


async def test_the_client_from_pypi_is_told_of_faults(live: str) -> None:
    with pytest.raises(Exception, match="404 Client Error"):
        await asyncio.to_thread(GeoReport(live).get_service_request, "none")
    with pytest.raises(Exception, match="404 Client Error"):
        await asyncio.to_thread(GeoReport(live, jurisdiction="110000").get_service_list)


TEXTS = st.text(max_size=30)
VALUES = st.one_of(TEXTS, st.none(), st.booleans(), st.integers(-(2**31), 2**31))
VIEWS = st.fixed_dictionaries(
    {"service_request_id": st.just("1")}, optional={"description": VALUES, "address": VALUES}
)


@given(st.lists(VIEWS, max_size=4))
def test_whatever_a_text_holds_both_formats_can_be_read(views: list[dict[str, Any]]) -> None:
    xml = respond(Format.XML, "service_requests", views)
    body = respond(Format.JSON, "service_requests", views)

    assert spark(bytes(xml.body)) == as_texts(json.loads(bytes(body.body)))


def spark(document: bytes) -> Any:
    """XML to the JSON that the Spark convention makes of it, all values as texts."""
    return _of(ET.fromstring(document))  # noqa: S314 - it is our own answer


def _of(element: ET.Element) -> Any:
    if element.tag in ITEMS:
        assert {each.tag for each in element} <= {ITEMS[element.tag]}
        return [_of(each) for each in element]
    if len(element):
        return {each.tag: _of(each) for each in element}
    return element.text or ""


def as_texts(body: Any) -> Any:
    """A JSON body with every value as a text, and without what is null."""
    if isinstance(body, dict):
        return {name: as_texts(value) for name, value in body.items() if value is not None}
    if isinstance(body, list):
        return [as_texts(each) for each in body]
    if isinstance(body, bool):
        return str(body).lower()
    return re.sub(r"\r\n?", "\n", body) if isinstance(body, str) else str(body)
