"""The steps of a citizen's matter, each over HTTP as its actor, at the time that the town keeps."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, time, timedelta
from decimal import Decimal
from importlib.resources import files
from typing import Any

import httpx

from tongban_common.http import now_of_request
from tongban_common.issuer import DevelopmentIssuer
from tongban_common.testing import Clock, client_of
from tongban_common.working_days import SHANGHAI
from tongban_suite.city import Gateway

from .cities import TestCity

Document = dict[str, Any]
FOOD_LICENCE = "11990100000000404M3990100000004"  # 食品经营许可: 5 working days promised, 20 by law
FREIGHT_LICENCE = "11990100000000303W3990100000003"  # 道路货物运输经营许可: 8 promised, 20 by law
PERSON = {"name": "张三", "phone": "13812345678", "address": "柳巷街道1号"}
APPLICANT = {
    "name": "李四",
    "id_type": "111",
    "id_number": "990102199001011234",
    "phone": "13912345678",
}
EVIDENCE = {"text": "调取系统记录，见督查单", "references": ["DC-7"]}
_INSTANT = timedelta(microseconds=1)


def moment(day: str, hour: int = 10, minute: int = 0) -> datetime:
    """A day of 2026 in Beijing, such as `moment("09-17", 15)`."""
    month, number = map(int, day.split("-"))
    return datetime(2026, month, number, hour, minute, tzinfo=SHANGHAI)


def due_days(document: Document, *names: str) -> list[str]:
    """On which days these limits end, in Beijing; a limit in days ends with its day."""
    days = []
    for each in names:
        due = datetime.fromisoformat(document[each]).astimezone(SHANGHAI)
        assert due.time() == time.max, f"{each} is {due}"
        days.append(f"{due:%m-%d}")
    return days


class Town:
    """The city's offices behind one address, and the clock on their wall."""

    def __init__(self, city: TestCity, issuer: DevelopmentIssuer, clock: Clock) -> None:
        self.city = city
        self.clock = clock
        apps = {short: each.service.app(each.kit) for short, each in city.stations.items()}
        for app in apps.values():
            app.dependency_overrides[now_of_request] = clock
        transport = httpx.ASGITransport(app=Gateway(apps, None))
        self.public = client_of(transport, issuer)

    async def settle(self) -> None:
        """Everybody hears of everything that was announced."""
        await self.city.settle()

    async def until(self, then: datetime) -> None:
        """Time passes: every deadline before then fires at its own moment, and all hear of it."""
        while True:
            due = await self.city.next_due()
            if due is None or due >= then:
                break
            sweeps = (self.city.sweep(due + _INSTANT) for _ in range(2))  # any number may run
            assert sum(await asyncio.gather(*sweeps)) > 0, f"what is due at {due} does not fire"
            later = await self.city.next_due()
            if later is None or later >= then:
                await self.settle()  # which may arm what is due before then, too
        self.clock.now = then

    async def ask(
        self,
        path: str,
        *,
        role: str | None = None,
        unit: str | None = None,
        code: int = 200,
    ) -> httpx.Response:
        client = self.public if role is None else self.public.as_(role, subject=role, unit=unit)
        answer = await client.get(path)
        assert answer.status_code == code, answer.text
        return answer

    async def act(
        self,
        path: str,
        body: object = None,
        *,
        role: str | None = None,
        unit: str | None = None,
        version: int | None = None,
        code: int = 200,
    ) -> Document:
        client = self.public if role is None else self.public.as_(role, subject=role, unit=unit)
        seen = {} if version is None else {"If-Match": f'"{version}"'}
        answer = await client.post(path, json=body, headers=seen)
        assert answer.status_code == code, answer.text
        said: Document = answer.json()
        return said

    async def open(self) -> Document:
        """The offices open: the other services have heard of units, windows, staff and items."""
        loaded = await self.load()
        await self.settle()
        return loaded

    async def load(self) -> Document:
        """机构目录 and 事项目录, as the demo city has them."""
        return {name: await self._load(name) for name in ("directory", "catalogue")}

    async def _load(self, name: str) -> Document:
        content = files("tongban_suite").joinpath("data", f"{name}.yaml").read_bytes()
        client = self.public.as_("center_admin", subject="center_admin")
        answer = await client.post(f"/intake/v1/{name}", files={"file": (f"{name}.yaml", content)})
        assert answer.status_code == 200, answer.text
        said: Document = answer.json()
        return said

    # 12345工单

    async def registered(self, kind: str = "help", **more: object) -> Document:
        appeal = {
            "channel": "phone",
            "appeal_type": kind,
            "title": "路灯不亮",
            "content": "小区门口的路灯不亮了。",
            "person": PERSON,
            **more,
        }
        return await self.act("/hotline/v1/tickets", appeal, role="dispatcher", code=201)

    async def assigned(self, ticket: Document, unit: str) -> Document:
        return await self._ticket(ticket, "assign", {"unit_code": unit})

    async def signed(self, ticket: Document) -> Document:
        """And the citizen called at once (先行联系)."""
        return await self._ticket(await self._ticket(ticket, "sign"), "contact")

    async def replied(self, ticket: Document, text: str = "已现场更换灯具。") -> Document:
        return await self._ticket(ticket, "reply", {"text": text})

    async def passed(self, ticket: Document) -> Document:
        """审核通过: from now on the citizen may rate it, and is called."""
        return await self._ticket(ticket, "review/pass")

    async def closed(self, ticket: Document, *, was_called: bool = True) -> Document:
        """With what the callback heard; whoever wants no call may still rate by the link."""
        heard = {"resolved": "resolved", "result": "satisfied", "process": "satisfied"}
        return await self._ticket(ticket, "close", {"heard": heard} if was_called else None)

    async def _ticket(self, ticket: Document, move: str, body: object = None) -> Document:
        """On the ticket as it is now: clocks that ran out have moved it, too."""
        by_unit = move in {"sign", "contact", "reply"}
        path = f"/hotline/v1/tickets/{ticket['id']}"
        now = (await self.ask(path, role="dispatcher")).json()
        return await self.act(
            f"{path}/{move}",
            body,
            role="unit_officer" if by_unit else "dispatcher",
            unit=now["unit_code"] if by_unit else None,
            version=now["version"],
        )

    # 办件

    async def accepted(
        self,
        item: str = FOOD_LICENCE,
        window: str = "MARKET-01",
        staff: str = "S-004",
        applicant: Document = APPLICANT,
    ) -> Document:
        body = {
            "item_code": item,
            "window_code": window,
            "staff_code": staff,
            "applicant": applicant,
        }
        return await self.act("/intake/v1/cases", body, role="window_clerk", code=201)

    async def decided(self, case: Document) -> Document:
        return await self._case(case, "decide", {"result": "approved"}, role="case_reviewer")

    async def completed(self, case: Document) -> Document:
        return await self._case(case, "complete")

    async def delivered(self, case: Document) -> Document:
        return await self._case(case, "deliver", {"method": "handed_over"})

    async def _case(
        self, case: Document, move: str, body: object = None, role: str = "window_clerk"
    ) -> Document:
        path = f"/intake/v1/cases/{case['id']}/{move}"
        return await self.act(path, body, role=role, version=case["version"])

    # 好差评

    async def invitation(self, kind: str, matter: Document) -> Document:
        path = f"/evaluation/v1/invitations/{kind}/{matter['id']}"
        said: Document = (await self.ask(path, role="inspector")).json()
        return said

    async def reviewed(
        self, kind: str, matter: Document, level: int, *, tags: Sequence[str], comment: str = ""
    ) -> Document:
        """By whoever holds the link: nobody signs in to review."""
        link = (await self.invitation(kind, matter))["link"]
        body = {
            "token": link.rpartition("/")[2],
            "level": level,
            "tags": list(tags),
            "comment": comment or None,
        }
        return await self.act("/evaluation/v1/reviews", body, code=201)

    async def rectifications(self) -> list[Document]:
        answer = await self.ask("/evaluation/v1/rectifications", role="inspector")
        found: list[Document] = answer.json()["items"]
        return found

    async def verified(
        self, one: Document, unit: str, *, is_true: bool = True, note: str = "已向评价人核实"
    ) -> Document:
        body: Document = {"is_factual": is_true, "is_reasonable": is_true, "note": note}
        if is_true:
            body |= {"root_cause": "attitude", "grade": "simple"}
        return await self._rectification(one, "verify", body, role="window_lead", unit=unit)

    async def rectified(self, one: Document, unit: str) -> Document:
        body = {"measures": "已调整岗位并培训"}
        return await self._rectification(one, "rectify", body, role="window_lead", unit=unit)

    async def called_back(self, one: Document, answer: str = "satisfied") -> Document:
        body = {"answer": answer}
        return await self._rectification(one, "call-back", body, role="inspector")

    async def settled(self, one: Document) -> Document:
        return await self._rectification(one, "close", None, role="inspector")

    async def _rectification(
        self, one: Document, move: str, body: object, *, role: str, unit: str | None = None
    ) -> Document:
        path = f"/evaluation/v1/rectifications/{one['id']}/{move}"
        return await self.act(path, body, role=role, unit=unit, version=one["version"])

    # 考核

    async def entries(self, window: str) -> list[Document]:
        answer = await self.ask(f"/scoring/v1/entries?window={window}", role="inspector")
        found: list[Document] = answer.json()["items"]
        return found

    async def judged(
        self, entry: Document, verdict: str, *, code: int = 200, **more: object
    ) -> Document:
        body = {"evidence": EVIDENCE, **more} if verdict == "attribute" else EVIDENCE
        path = f"/scoring/v1/entries/{entry['id']}/{verdict}"
        return await self.act(path, body, role="inspector", version=entry["version"], code=code)

    async def finished(self) -> dict[str, Document]:
        """The third quarter of 2026 is settled: the cards by window, with every point."""
        body = {"code": "2026Q3", "starts_on": "2026-07-01", "ends_on": "2026-09-30"}
        done = await self.act("/scoring/v1/periods", body, role="inspector", code=201)
        await self.settle()
        of_period = "/scoring/v1/scorecards?period=2026Q3"
        await self.ask(of_period, code=404)  # for the public only with its bulletin
        found = (await self.ask(of_period, role="inspector")).json()
        assert len(found) == done["scorecards"]
        return {
            each["window_code"]: (
                await self.ask(f"/scoring/v1/scorecards/{each['id']}", role="inspector")
            ).json()
            for each in found
        }

    # 通报

    async def drafts(self) -> list[Document]:
        answer = await self.ask("/publishing/v1/drafts", role="publisher")
        found: list[Document] = answer.json()
        return found

    async def published(self) -> Document:
        """The one draft that waits, by two people; as everybody reads it."""
        (draft,) = await self.drafts()
        path = f"/publishing/v1/bulletins/{draft['id']}"
        draft = await self.act(f"{path}/review", role="secrecy_reviewer", version=draft["version"])
        await self.act(f"{path}/approve", role="approver", version=draft["version"])
        await self.settle()
        await self.ask("/scoring/v1/scorecards?period=2026Q3")
        said: Document = (await self.ask(path)).json()
        return said


def score(card: Document) -> Decimal:
    return Decimal(card["score"])


def points(card: Document) -> dict[str, Decimal]:
    """What each rule moved the score by."""
    moved: dict[str, Decimal] = {}
    for each in card["points"]:
        moved[each["rule_id"]] = moved.get(each["rule_id"], Decimal(0)) + Decimal(each["points"])
    return moved
