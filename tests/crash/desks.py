"""Desks under load: supervision, contacts, the knowledge base, identities, joining, bulk."""

import asyncio
from datetime import timedelta

from tongban_common.clock import utc_now
from tongban_common.working_days import SHANGHAI

from .asking import TICKETS, Call, Refused
from .desk import Desk, Told
from .world import UNITS

SUPERVISIONS = "/hotline/v1/supervisions"
CONTACTS = "/hotline/v1/contacts"
KNOWLEDGE = "/hotline/v1/knowledge"
FATES_OF_CARDS = {"revoked": 30, "upheld": 25, "waived": 25, "valid": 20}
IN_BULK = 5
NOT_KEPT = "idempotency.answer_not_kept"


class Supervisor(Desk):
    """Cards by hand: contested by the unit, judged by somebody else, or waived."""

    async def _round(self) -> None:
        unit = self._random.choice(UNITS)
        officer, judge = self._officers[unit], self._person("judge", "inspector")
        body = {
            "level": "S1",
            "cause": "LEADER_BATCH",
            "unit_codes": [unit],
            "words": "请说明情况",
            "has_card": True,
        }
        file = await self._step(Call("supervision", "issued", SUPERVISIONS, body, self._hub))
        path = f"{SUPERVISIONS}/{file['id']}"
        record = await self._get(path, wait=True, hosts=self._ground.hotline)
        (card,) = record["cards"]
        fate = self._drawn(FATES_OF_CARDS)
        steps: list[tuple[str, str, dict[str, object], str]] = []
        if fate in {"revoked", "upheld"}:
            steps.append(("contest", "contested", {"words": "系统未推送工单"}, officer))
            steps.append(("decide", fate, {"is_revoked": fate == "revoked"}, judge))
        elif fate == "waived":
            steps.append(("waive", fate, {"reason": "SYSTEM_FAULT"}, judge))
        for step, said, given, who in steps:
            at = f"{path}/cards/{card['id']}/{step}"
            file = await self._step(Call("card", said, at, given, who, file["version"]))
            self._write("card", card["id"], said=said)
        steps = [
            ("answer", "answered", {"text": "已查明原因。"}, officer),
            ("accept", "accepted", {}, self._hub),
            ("close", "closed", {}, self._hub),
        ]
        for step, said, given, who in steps:
            call = Call("supervision", said, f"{path}/{step}", given, who, file["version"])
            file = await self._step(call)

    async def _step(self, call: Call) -> Told:
        file = await self._told(call)
        self._write("supervision", file["id"], n=file["version"], said=call.said)
        return file


class HandOver(Desk):
    """A post of a unit changes hands, and the open tickets go with it."""

    held: Told | None = None  # the contact who holds the post
    officers = 0

    async def _round(self) -> None:
        unit = UNITS[0]
        if self.held is None:
            self.held = await self._filed(unit, None, [])
        officer = self._officer_name
        tickets = [await self._with_unit(unit) for _ in range(2)]
        for each in tickets:
            path = f"{TICKETS}/{each['id']}/officer"
            taken = {"officer": officer}
            token = self._officers[unit]
            await self._told(Call("officer", "taken", path, taken, token, method="PUT"))
            self._write("officer", each["id"], said=officer)
        self.held = await self._filed(unit, self.held, [each["id"] for each in tickets])
        for each in tickets:
            await self._answered(await self._seen(each), self._officers[unit])

    @property
    def _officer_name(self) -> str:
        return f"{self._name}-officer-{self.officers}"

    async def _filed(self, unit: str, before: Told | None, tickets: list[str]) -> Told:
        self.officers += 1
        body = {
            "unit_code": unit,
            "role": "dedicated_staff",
            "person": {"name": "李四", "mobile": "13987654321", "officer": self._officer_name},
            "completed_on": (utc_now() - timedelta(minutes=1)).astimezone(SHANGHAI).date(),
            "replaces": before and before["id"],
        }
        body["completed_on"] = str(body["completed_on"])
        filed = await self._told(Call("contact", "filed", CONTACTS, body, self._officers[unit]))
        contact: Told = filed["contact"]
        self._write(
            "contact",
            contact["id"],
            said=filed["change"],
            officer=self._officer_name,
            before=before and before["id"],
            tickets=tickets,
        )
        return contact


class Editor(Desk):
    """An item of the knowledge base: written, sent back, published, and written anew."""

    async def _round(self) -> None:
        writer = self._person("writer", "unit_officer", unit=UNITS[1])
        judge = self._person("judge", "reviewer")
        body = {
            "title": f"公积金提取条件 {self._uuid().hex}",
            "content": "购买、建造自住住房的，可以提取。",
            "unit_code": UNITS[1],
            "category": "住房/公积金/提取",
            "material": "hot_qa",
            "keywords": ["公积金"],
        }
        item = await self._step(Call("knowledge", "create", KNOWLEDGE, body, writer))
        for number in range(self._random.choice([1, 2, 3])):
            if number:
                item = await self._edit(item, {**body, "content": f"第{number}次修改。"}, writer)
            item = await self._move_item(item, "submit", {}, writer)
            if self._random.random() < 0.3:
                item = await self._move_item(item, "send_back", {"why": "缺少地点"}, judge)
                item = await self._edit(item, {**body, "content": "到市民中心办理。"}, writer)
                item = await self._move_item(item, "submit", {}, writer)
            item = await self._move_item(item, "review", {}, judge)
            item = await self._move_item(item, "publish", {}, judge)
        await asyncio.sleep(self._random.uniform(0, 0.3))

    async def _edit(self, item: Told, body: dict[str, object], who: str) -> Told:
        path = f"{KNOWLEDGE}/{item['id']}"
        return await self._step(
            Call("knowledge", "edit", path, body, who, item["revision"], method="PUT")
        )

    async def _move_item(self, item: Told, move: str, body: dict[str, object], who: str) -> Told:
        path = f"{KNOWLEDGE}/{item['id']}/{move}"
        return await self._step(Call("knowledge", move, path, body, who, item["revision"]))

    async def _step(self, call: Call) -> Told:
        item = await self._told(call)
        last = max(each["number"] for each in item["versions"])
        self._write("knowledge", item["id"], n=item["revision"], said=call.said, last=last)
        return item


class Looker(Desk):
    """Who looks at complainants in clear, and asks once more under the same key."""

    async def _round(self) -> None:
        ticket = await self._registered()
        for _ in range(self._random.choice([1, 2, 3])):
            body = {"fields": ["name", "phone"], "reason": "callback"}
            path = f"{TICKETS}/{ticket['id']}/identity-views"
            call = Call("look", "looked", path, body, self._hub, may={409})
            first, key = await self._known(self._ground.hotline, call)
            for answer in (first, await self._again(call, key)):
                shown = answer.json()
                if answer.is_success:
                    self._write("look", shown["view_id"], said=ticket["id"], key=key)
                elif shown["code"] == NOT_KEPT:  # it was done, and is not shown another time
                    self._write("unseen", "", said=ticket["id"], key=key)
                else:
                    raise Refused(f"{path}: {answer.text[:200]}")
        await asyncio.sleep(self._random.uniform(0, 0.3))


class Joiner(Desk):
    """Tickets assigned by the bulk, joined to one, let go or withdrawn, and answered together."""

    async def _round(self) -> None:
        unit = self._random.choice(UNITS)
        parent, *children = await self._in_bulk(unit)
        children = [
            await self._move(each, "merge", {"parent_id": parent["id"]}, self._hub)
            for each in children
        ]
        for each in children[:2]:
            self._write("joined", each["id"], said=parent["id"])
        for each, leaving in zip(children[2:], ("unmerge", "withdraw"), strict=True):
            left = await self._move(each, leaving, {}, self._hub)
            self._write("left", left["id"], said=parent["id"])
        await self._answered(await self._seen(parent), self._officers[unit], said="closed")

    async def _in_bulk(self, unit: str) -> list[Told]:
        tickets = [await self._registered(channel="wechat", person={}) for _ in range(IN_BULK)]
        items = [
            {"ticket_id": each["id"], "version": each["version"], "unit_code": unit}
            for each in tickets
        ]
        call = Call("bulk", "assigned", f"{TICKETS}/bulk/assign", {"items": items}, self._hub)
        answer, key = await self._known(self._ground.hotline, call)
        for each in answer.json()["results"]:
            if each["code"] is not None:  # one that a request cut off had done is told as done
                raise Refused(f"bulk/assign: {each}")
            self._write("bulk", each["ticket_id"], n=each["version"], said=unit)
            self._ground.log.write(
                kind="ticket",
                id=each["ticket_id"],
                version=each["version"],
                said="assigned",
                key=f"{key}/{each['ticket_id']}",
            )
        return [await self._seen(each) for each in tickets]
