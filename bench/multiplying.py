"""Rows of template tickets, copied with other ids, moments, units, texts and people.

Every column of a table is named from its definition, so that a new one is copied with the rest.
Foreign keys and triggers rest meanwhile (the tally of the board is counted at the end, as the
migration that made it does), which takes a superuser.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Column, DateTime, Table

from tongban_common.privacy import Sealer
from tongban_common.timers import timer
from tongban_hotline_dispatch.store import (
    assignment,
    callback_task,
    ticket,
    ticket_move,
    ticket_note,
)
from tongban_hotline_dispatch.store.likeness import phone_key
from tongban_hotline_dispatch.store.officers import assignment_officer

_TERMS = {"citizen", "stage", "reply_term", "sign_term", "return_term", "contact_term"}
_DOCUMENTS = {"callback", "suspension", "phase", "asks", "facts"}
_OWN = {
    "id": "d.id",
    "ticket_id": "d.id",
    "ticket_no": "d.ticket_no",
    "query_code": "d.query_code",
    "title": "w.title",
    "content": "w.content",
    "unit_code": "CASE WHEN t.unit_code IS NOT NULL THEN d.unit END",
    "subject": "d.id::text || substr(t.subject, 37)",
}
# Of a term all moments move alike, which is most of the work; other documents are looked through.
_FUNCTIONS = r"""
    CREATE FUNCTION pg_temp.moved_term(term jsonb, by interval) RETURNS jsonb
    LANGUAGE sql STABLE AS $$
      SELECT term || jsonb_build_object(
        'start_at', (term->>'start_at')::timestamptz + by,
        'due_at', (term->>'due_at')::timestamptz + by,
        'warn_at', (term->>'warn_at')::timestamptz + by,
        'cap_at', (term->>'cap_at')::timestamptz + by,
        'floor_at', (term->>'floor_at')::timestamptz + by)
    $$;
    CREATE FUNCTION pg_temp.moved(document jsonb, by interval, unit text) RETURNS jsonb
    LANGUAGE plpgsql STABLE AS $$
    DECLARE
      told text := replace(document::text, '"U000"', to_json(unit)::text);
      found text;
    BEGIN
      IF told LIKE '%____-__-__T__:%' THEN
        FOR found IN SELECT DISTINCT m[1] FROM regexp_matches(
          told, '\d{4}-\d\d-\d\dT[\d:.]+(?:[+-]\d\d:\d\d|Z)', 'g') m
        LOOP
          told := replace(told, found, to_json(found::timestamptz + by) #>> '{}');
        END LOOP;
      END IF;
      RETURN told::jsonb;
    END $$;
"""
_TEMPORARY = """
    CREATE TEMP TABLE template AS SELECT id, n - 1 AS n FROM unnest($1::uuid[])
      WITH ORDINALITY AS x (id, n)
"""
_PARTS = (assignment, assignment_officer, ticket_move, ticket_note, callback_task)
_TEMPLATES = {
    "template_ticket": "SELECT n, t.* FROM template x JOIN ticket t USING (id)",
    **{
        f"template_{each.name}": f"SELECT n, t.* FROM template x JOIN {each.name} t "  # noqa: S608
        "ON t.ticket_id = x.id"
        for each in _PARTS
    },
    "template_timer": """
        SELECT n, t.* FROM template x JOIN timer t
        ON t.state = 'armed' AND left(t.subject, 36) = x.id::text
        JOIN ticket o ON o.id = x.id AND o.closed_at IS NULL""",
}
_WORDING = "CREATE TEMP TABLE wording (n int PRIMARY KEY, title text, content text, words text[], "
_DRAWN = """
    CREATE TEMP TABLE drawn (id uuid, ticket_no text, query_code text, template int, wording int,
      unit text, by interval, person bytea, no bigint)
"""
_LIKENESS = """
    INSERT INTO likeness (ticket_id, no, at, person, words, weights, is_grouped)
    OVERRIDING SYSTEM VALUE
    SELECT d.id, d.no, t.registered_at + d.by, d.person, w.words, w.weights, true
    FROM drawn d JOIN template_ticket t ON t.n = d.template JOIN wording w ON w.n = d.wording
"""
_WORDS = """
    INSERT INTO likeness_word (word, no)
    SELECT DISTINCT ON (word, d.no) word, d.no
    FROM drawn d JOIN wording w ON w.n = d.wording, unnest(w.telling) AS word
"""
_TALLY = """
    INSERT INTO board_tally (kind, key, day, n)
    SELECT m.kind, m.key, m.day, count(*) FROM ticket t, board_marks(t) m
    GROUP BY m.kind, m.key, m.day
"""


@dataclass(frozen=True, slots=True)
class Wording:
    """What a ticket says, and what it is found by."""

    title: str
    content: str
    words: Sequence[str]
    weights: Sequence[float]
    telling: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """One ticket to be: a template moved by so much, with what is its own."""

    number: int
    ticket_id: UUID
    ticket_no: str
    query_code: str
    template: int
    wording: int
    unit: str
    by: timedelta


def phone_of(number: int, persons: int) -> str:
    """Who brings the ticket of this number. Every person comes as often as any other."""
    return f"139{number * 7919 % persons:08}"


class Copies:
    def __init__(self, connection: Any, sealer: Sealer) -> None:
        self._connection = connection
        self._sealer = sealer
        self._first = 0
        self._statements = (
            _insert(ticket, "template_ticket"),
            *(_insert(each, f"template_{each.name}") for each in _PARTS),
            _insert(timer, "template_timer"),
            _LIKENESS,
            _WORDS,
        )

    async def prepare(self, templates: Sequence[UUID], wordings: Iterable[Wording]) -> None:
        run = self._connection.execute
        for setting in ("session_replication_role = replica", "synchronous_commit = off"):
            await run(f"SET {setting}")
        await run(_FUNCTIONS)
        await run(_TEMPORARY, list(templates))
        for name, query in _TEMPLATES.items():
            await run(f"CREATE TEMP TABLE {name} AS {query}")
        await run(f"{_WORDING} weights float8[], telling text[])")
        rows = [
            (n, each.title, each.content, each.words, each.weights, each.telling)
            for n, each in enumerate(wordings)
        ]
        await self._connection.copy_records_to_table("wording", records=rows)
        await run(_DRAWN)
        for name in (*_TEMPLATES, "wording"):
            await run(f"ANALYZE {name}")
        self._first = 1 + await self._connection.fetchval(
            "SELECT coalesce(max(no), 0) FROM likeness"
        )

    async def due_moments(self) -> Mapping[UUID, datetime]:
        """By which the units have to answer the templates."""
        rows = await self._connection.fetch(
            "SELECT id, reply_due_at FROM template_ticket WHERE reply_due_at IS NOT NULL"
        )
        return {row["id"]: row["reply_due_at"] for row in rows}

    async def add(self, some: Sequence[Drawn], *, persons: int) -> None:
        """A batch, in one transaction."""
        drawn, sealed = [], []
        for each in some:
            phone = phone_of(each.number, persons)
            no = self._first + each.number
            key = phone_key(self._sealer, phone)
            own = (each.ticket_id, each.ticket_no, each.query_code, each.template, each.wording)
            drawn.append((*own, each.unit, each.by, key, no))
            context = f"complainant:{each.ticket_id}:phone"
            sealed.append((each.ticket_id, self._sealer.seal(phone, context=context)))
        async with self._connection.transaction():
            await self._connection.execute("TRUNCATE drawn")
            await self._connection.copy_records_to_table("drawn", records=drawn)
            await self._connection.execute("ANALYZE drawn")
            for statement in self._statements:
                await self._connection.execute(statement)
            await self._connection.copy_records_to_table(
                "complainant", records=sealed, columns=("ticket_id", "phone")
            )

    async def finish(self) -> None:
        """What was left out on the way, and what the planner and the lists go by."""
        run = self._connection.execute
        async with self._connection.transaction():
            await run("TRUNCATE board_tally")
            await run(_TALLY)
        await run("SELECT setval(pg_get_serial_sequence('likeness', 'no'), max(no)) FROM likeness")
        await run("VACUUM ANALYZE")


def _insert(table: Table, templates: str) -> str:
    columns = [each for each in table.c if each.identity is None]
    names = ", ".join(f'"{each.name}"' for each in columns)
    values = ", ".join(map(_value, columns))
    wording = "JOIN wording w ON w.n = d.wording" if table is ticket else ""
    return (
        f"INSERT INTO {table.name} ({names}) SELECT {values} "  # noqa: S608 - of definitions
        f"FROM drawn d JOIN {templates} t ON t.n = d.template {wording}"
    )


def _value(column: Column[Any]) -> str:
    name = column.name
    if name in _OWN:
        return _OWN[name]
    if isinstance(column.type, DateTime):
        return f"t.{name} + d.by"
    if name in _TERMS:
        return f"pg_temp.moved_term(t.{name}, d.by)"
    if name in _DOCUMENTS:
        moved = f"pg_temp.moved(t.{name}, d.by, d.unit)"
        return f"CASE WHEN length(t.{name}::text) > 2 THEN {moved} ELSE t.{name} END"
    return f"t.{name}"
