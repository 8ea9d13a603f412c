"""What the desks were told, against what the databases hold: each fact is there exactly once.

An audit is a query that gives the witnesses of one kind of fault. It reads `told`, a temporary
table with the lines of the clients' log in their order: what was told of which thing (`ref`), which
version or number (`n`), in which word (`said`), and what else belongs to it (`more`); and `facts`,
the events of the outbox by the short names of their types.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from .checker import Kind, Violation
from .reading import rows

_TOLD = """
    CREATE TEMPORARY TABLE told ON COMMIT DROP AS
    SELECT line, each->>'what' AS what, each->>'ref' AS ref, (each->>'n')::int AS n,
      each->>'said' AS said, each->'more' AS more
    FROM jsonb_array_elements(CAST(:told AS jsonb)) WITH ORDINALITY AS lines(each, line)
"""
_PREPARED = (
    "CREATE INDEX ON told (ref)",
    """
    CREATE TEMPORARY TABLE facts ON COMMIT DROP AS
    SELECT subject, replace(replace(type, 'tongban.hotline.', ''), '.v1', '') AS type, data,
      data->>'card_id' AS card_id, data->>'contact_id' AS contact_id
    FROM outbox
    """,
    "CREATE INDEX ON facts (subject)",
    "CREATE INDEX ON facts (card_id)",
    "CREATE INDEX ON facts (contact_id)",
)


class Audit(NamedTuple):
    name: str
    kind: Kind
    sql: str  # one column: the witness


SUPERVISION = (
    Audit(
        "a step of a supervision that was told of is there",
        Kind.UNACKNOWLEDGED,
        """
        SELECT t.ref || ' version ' || t.n || ' ' || t.said FROM told t
        LEFT JOIN supervision s ON s.id::text = t.ref
        WHERE t.what = 'supervision' AND (s.id IS NULL OR s.version < t.n)
        """,
    ),
    Audit(
        "a step of a supervision by hand is there once, and was told of once",
        Kind.DOUBLED,
        """
        SELECT s.id || ': moves ' || count(*) FILTER (WHERE m.deed <> 'card_issued')
          || ', told ' || (SELECT count(*) FROM told t
             WHERE t.what = 'supervision' AND t.ref = s.id::text)
        FROM supervision s JOIN supervision_move m ON m.supervision_id = s.id
        WHERE s.issuer LIKE 'client-%'
        GROUP BY s.id
        HAVING count(*) FILTER (WHERE m.deed <> 'card_issued')
          <> (SELECT count(*) FROM told t WHERE t.what = 'supervision' AND t.ref = s.id::text)
        """,
    ),
    Audit(
        "each supervision has one notice, one card and one event of each",
        Kind.DOUBLED,
        """
        SELECT s.id || ' by ' || s.issuer || ': notices ' || x.notices || ', cards ' || x.cards
          || ', issued ' || x.issued || ', card-issued ' || x.carded
        FROM supervision s, LATERAL (SELECT
          (SELECT count(*) FROM supervision_notice n WHERE n.supervision_id = s.id) AS notices,
          (SELECT count(*) FROM supervision_card c WHERE c.supervision_id = s.id) AS cards,
          (SELECT count(*) FROM facts e
           WHERE e.subject = s.id::text AND e.type = 'supervision-issued') AS issued,
          (SELECT count(*) FROM facts e
           WHERE e.subject = s.id::text AND e.type = 'card-issued') AS carded
        ) x
        WHERE x.notices <> 1 OR x.issued <> 1 OR x.cards <> x.carded
          OR x.cards <> CASE WHEN s.level IN ('U1', 'S1') THEN 1 ELSE 0 END
        """,
    ),
    Audit(
        "what was said to a card is there once, with one event",
        Kind.DOUBLED,
        """
        SELECT t.ref || ' ' || t.said || ': lines ' || x.lines || ', events ' || x.events
        FROM told t, LATERAL (SELECT
          (SELECT count(*) FROM supervision_card_line l
           WHERE l.card_id::text = t.ref AND l.act = t.said) AS lines,
          (SELECT count(*) FROM facts e WHERE e.card_id = t.ref AND e.type =
             CASE t.said WHEN 'contested' THEN 'card-contested' WHEN 'waived' THEN 'card-waived'
             ELSE 'card-decided' END) AS events
        ) x
        WHERE t.what = 'card' AND (x.lines <> 1 OR x.events <> 1)
        """,
    ),
    Audit(
        "what was said to a card was told of",
        Kind.DOUBLED,
        """
        SELECT l.card_id || ' ' || l.act FROM supervision_card_line l WHERE NOT EXISTS
          (SELECT FROM told t WHERE t.what = 'card' AND t.ref = l.card_id::text AND t.said = l.act)
        """,
    ),
    Audit(
        "a rung of the ladder is climbed once for each ticket and span",
        Kind.TWICE,
        """
        SELECT ticket_id || ' ' || no || ' ' || rung || ': ' || count(*) FROM supervision_ticket
        WHERE rung <> '' GROUP BY ticket_id, no, since, rung HAVING count(*) > 1
        """,
    ),
    Audit(
        "a ticket that is late and unanswered has its card",
        Kind.LOST,
        """
        SELECT k.id || ' ' || k.status FROM ticket k
        WHERE k.status IN ('assigned', 'signed') AND EXISTS (SELECT FROM timer r
          WHERE r.kind = 'unit' AND split_part(r.subject, ':', 1) = k.id::text
            AND r.state = 'fired')
        AND NOT EXISTS (SELECT FROM supervision_ticket s
          JOIN supervision_card c ON c.supervision_id = s.supervision_id
          WHERE s.ticket_id = k.id AND s.rung = 'urge')
        """,
    ),
)
CALLBACKS = (
    Audit(
        "a callback has one caller",
        Kind.DOUBLED,
        """
        SELECT ref || ' version ' || n || ': ' || count(*) FROM told WHERE what = 'taken'
        GROUP BY ref, n HAVING count(*) > 1
        """,
    ),
    Audit(
        "what a caller heard is in one task, with one event",
        Kind.DOUBLED,
        """
        SELECT t.ref || ': told ' || t.told || ', tasks ' || x.tasks || ', events ' || x.events
        FROM (SELECT ref, count(*) AS told FROM told WHERE what = 'heard' GROUP BY ref) t,
        LATERAL (SELECT
          (SELECT count(*) FROM callback_task c
           WHERE c.ticket_id::text = t.ref AND c.outcome = 'reached') AS tasks,
          (SELECT count(*) FROM facts e
           WHERE e.subject = t.ref AND e.type = 'callback-completed') AS events
        ) x
        WHERE x.tasks <> t.told OR x.events <> t.told
        """,
    ),
    Audit(
        "no ticket is closed while its callback waits",
        Kind.LOST,
        """
        SELECT k.id || ' task ' || c.no FROM ticket k JOIN callback_task c ON c.ticket_id = k.id
        WHERE k.status = 'closed' AND c.done_at IS NULL
        """,
    ),
    Audit(
        "the rating of a callback came back from the evaluation service once",
        Kind.LOST,
        """
        SELECT DISTINCT t.ref FROM told t WHERE t.what = 'heard' AND t.said = 'closed'
        AND (SELECT count(*) FROM ticket_review r
          WHERE r.ticket_id::text = t.ref AND r.channel = 'callback') <> 1
        """,
    ),
    Audit(
        "a step of a reappraisal is there, with one event",
        Kind.UNACKNOWLEDGED,
        """
        SELECT t.ref || ' ' || t.said || ' version ' || t.n || ': is ' || coalesce(r.version, 0)
          || ', events ' || (SELECT count(*) FROM facts e
            WHERE e.subject = t.ref AND e.type = 'reappraisal-' || t.said)
        FROM told t LEFT JOIN reappraisal r ON r.id::text = t.ref
        WHERE t.what = 'reappraisal' AND (r.id IS NULL OR r.version < t.n OR (SELECT count(*)
          FROM facts e WHERE e.subject = t.ref AND e.type = 'reappraisal-' || t.said) <> 1)
        """,
    ),
    Audit(
        "a step of a reappraisal was told of",
        Kind.DOUBLED,
        """
        SELECT r.id || ' version ' || r.version FROM reappraisal r WHERE r.version <>
          (SELECT count(*) FROM told t WHERE t.what = 'reappraisal' AND t.ref = r.id::text)
        """,
    ),
)
UPSTREAM = (
    Audit(
        "a number of the upper platform is one ticket, and all senders were told of it",
        Kind.DOUBLED,
        """
        SELECT t.ref || ': told ' || string_agg(DISTINCT t.said, ' ') || ', tickets '
          || (SELECT count(*) FROM ticket k WHERE k.channel_order_no = t.ref)
        FROM told t WHERE t.what IN ('pushed', 'standing') GROUP BY t.ref
        HAVING count(DISTINCT t.said) <> 1 OR (SELECT count(*) FROM ticket k
          WHERE k.channel_order_no = t.ref AND k.ticket_no = min(t.said)) <> 1
          OR (SELECT count(*) FROM ticket k WHERE k.channel_order_no = t.ref) <> 1
        """,
    ),
    Audit(
        "a number that was never pushed is not known",
        Kind.DOUBLED,
        "SELECT ref FROM told WHERE what = 'standing' AND more->>'strange' <> 'false'",
    ),
    Audit(
        "each answer was handed out, and its receipt is kept",
        Kind.LOST,
        """
        SELECT r.channel_order_no || ' version ' || r.version FROM upstream_report r
        WHERE (r.acknowledged_at IS NULL) OR NOT EXISTS (SELECT FROM told t
          WHERE t.what = 'pulled' AND t.ref = r.channel_order_no AND t.n = r.version)
        """,
    ),
    Audit(
        "a pushed ticket that was closed has one answer for the platform",
        Kind.LOST,
        """
        SELECT k.channel_order_no || ' ' || k.status FROM ticket k JOIN upstream_push p
          ON p.ticket_id = k.id WHERE k.status = 'closed' AND
          (SELECT count(*) FROM upstream_report r
           WHERE r.ticket_id = k.id AND r.outcome = 'closed') <> 1
        """,
    ),
    Audit(
        "an answer is handed out at every pull until its receipt",
        Kind.LOST,
        """
        SELECT x.ref || ' version ' || x.n || ' not at pull ' || pull
        FROM (SELECT p.ref, p.n, min((p.more->>'pull')::int) AS first, coalesce((SELECT
            min((r.more->>'pull')::int) FROM told r
            WHERE r.what = 'receipt' AND r.ref = p.ref AND r.n = p.n),
            (SELECT max((l.more->>'pull')::int) FROM told l WHERE l.what = 'pulled')) AS last
          FROM told p WHERE p.what = 'pulled' GROUP BY p.ref, p.n) x,
        generate_series(x.first, x.last) AS pull
        WHERE NOT EXISTS (SELECT FROM told p WHERE p.what = 'pulled' AND p.ref = x.ref
          AND p.n = x.n AND (p.more->>'pull')::int = pull)
        """,
    ),
    Audit(
        "an answer is handed out no more after its receipt",
        Kind.DOUBLED,
        """
        SELECT p.ref || ' version ' || p.n FROM told p JOIN told r
          ON r.what = 'receipt' AND r.ref = p.ref AND r.n = p.n
        WHERE p.what = 'pulled' AND p.line > r.line
        """,
    ),
)


def read(file: Path) -> list[Mapping[str, object]]:
    """The lines of a log of what was told."""
    return [orjson.loads(line) for line in file.read_bytes().splitlines()]


async def climbed(url: str) -> Counter[str]:
    """How often each rung of the ladder was climbed: cards and reminders that nobody issued."""
    (found,) = await rows(
        url,
        "SELECT rung, count(*) AS n FROM supervision_ticket WHERE rung <> '' GROUP BY rung",
    )
    return Counter({f"ladder.{each['rung']}": each["n"] for each in found})


async def look(
    url: str, told: Sequence[Mapping[str, object]], audits: Sequence[Audit]
) -> list[Violation]:
    """The violations that these audits find in a service's database, in one snapshot."""
    engine = create_async_engine(url, isolation_level="REPEATABLE READ")
    found = []
    try:
        async with engine.connect() as connection:
            await connection.execute(text(_TOLD), {"told": orjson.dumps(list(told)).decode()})
            for statement in _PREPARED:
                await connection.execute(text(statement))
            for audit in audits:
                wrong = await connection.execute(text(audit.sql.replace(":", r"\:")))
                found += [Violation(audit.kind, f"{audit.name}: {row[0]}") for row in wrong]
    finally:
        await engine.dispose()
    return found
