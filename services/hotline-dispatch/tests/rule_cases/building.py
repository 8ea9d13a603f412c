"""One ticket on its way through the API, for the modules that prove the listed cases."""

from datetime import datetime
from typing import Any

import httpx

from tongban_common.testing import Client
from tongban_common.working_days import SHANGHAI

TICKETS = "/hotline/v1/tickets"
PHONE = "13812345678"
APPEAL = {
    "channel": "phone",
    "appeal_type": "help",
    "title": "路灯不亮",
    "content": "桂花路口的路灯已三天不亮",
    "person": {"name": "张三丰", "phone": PHONE},
}
GOOD = {"resolved": "resolved", "result": "satisfied", "process": "satisfied"}
RETURN = {
    "reason": "非本单位职责",
    "citation": "三定规定",
    "suggested_unit": "A7",
    "is_signed_off": True,
}
EXTENSION = {"reason": "情况复杂", "citation": "条例", "amount": 3, "is_signed_off": True}
SUSPENSION = {"reason": "送检", "pause_reason": "INSPECTION_APPRAISAL", "is_signed_off": True}


def on(month: int, day: int, hour: int = 10, minute: int = 0) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=SHANGHAI)


def end_of(month: int, day: int) -> str:
    """24:00 of a day, as the API gives it."""
    return f"2026-{month:02}-{day:02}T23:59:59.999999+08:00"


async def registered(hub: Client, **more: object) -> dict[str, Any]:
    answer = await hub.post(TICKETS, json={**APPEAL, **more})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def go(who: Client, ticket: dict[str, Any], path: str, **body: object) -> httpx.Response:
    """The act, upon the version that stands; `ticket` follows where it succeeds."""
    answer = await who.post(
        f"{TICKETS}/{ticket['id']}/{path}",
        json=body,
        headers={"If-Match": f'"{ticket["version"]}"'},
    )
    if answer.status_code == 200:
        ticket.update(answer.json())
    return answer


async def done(who: Client, ticket: dict[str, Any], path: str, **body: object) -> dict[str, Any]:
    answer = await go(who, ticket, path, **body)
    assert answer.status_code == 200, answer.text
    return ticket


async def refused(
    who: Client, ticket: dict[str, Any], path: str, **body: object
) -> tuple[int, str]:
    answer = await go(who, ticket, path, **body)
    return answer.status_code, answer.json()["code"]


async def seen(who: Client, ticket: dict[str, Any]) -> dict[str, Any]:
    answer = await who.get(f"{TICKETS}/{ticket['id']}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    ticket.update(version=found["version"])
    return found


async def clock_of(who: Client, ticket: dict[str, Any], name: str) -> dict[str, Any]:
    """One clock of the ticket with its days, as explained."""
    listed = (await who.get(f"{TICKETS}/{ticket['id']}/deadlines")).json()
    found: dict[str, Any] = next(each for each in listed if each["clock"] == name)
    return found


async def running(who: Client, ticket: dict[str, Any]) -> set[str]:
    listed = (await who.get(f"{TICKETS}/{ticket['id']}/deadlines")).json()
    return {each["clock"] for each in listed if each["is_running"]}


def counted(clock: dict[str, Any]) -> list[str]:
    return [day["day"][5:] for day in clock["days"] if day["counted"]]
