"""The audits of contacts, of the knowledge base, of looks at complainants, of joining and bulk."""

from .audits import Audit
from .checker import Kind

CONTACTS = (
    Audit(
        "a contact that was told of was filed once, with one event",
        Kind.UNACKNOWLEDGED,
        """
        SELECT t.ref || ' ' || t.said || ': filings ' || x.filings || ', events ' || x.events
        FROM told t, LATERAL (SELECT
          (SELECT count(*) FROM contact_filing f
           WHERE f.contact_id::text = t.ref AND f.change = t.said) AS filings,
          (SELECT count(*) FROM facts e WHERE e.type = 'unit-contact-changed'
             AND e.contact_id = t.ref) AS events
        ) x
        WHERE t.what = 'contact' AND (x.filings <> 1 OR x.events <> 1)
        """,
    ),
    Audit(
        "a contact that was filed was told of",
        Kind.DOUBLED,
        """
        SELECT f.contact_id || ' ' || f.change FROM contact_filing f WHERE NOT EXISTS
          (SELECT FROM told t WHERE t.what = 'contact' AND t.ref = f.contact_id::text)
        """,
    ),
    Audit(
        "who was replaced has left, and hands over all that is open in the same transaction",
        Kind.LOST,
        """
        SELECT f.contact_id || ': filed ' || f.handed_over || ', handed ' || x.handed
          || ', told ' || x.told || ', left ' || x.left_open
        FROM contact_filing f JOIN unit_contact c ON c.id = f.contact_id
        JOIN unit_contact old ON old.id = f.replaces_id, LATERAL (SELECT
          (SELECT count(*) FROM assignment_officer o
           WHERE o.officer = c.officer AND o.since = f.filed_at) AS handed,
          (SELECT (e.data->>'handed_over')::int FROM facts e WHERE
             e.type = 'unit-contact-changed' AND e.contact_id = c.id::text LIMIT 1) AS told,
          (SELECT count(*) FROM assignment_officer o
           WHERE o.officer = old.officer AND o.until IS NULL) AS left_open
        ) x
        WHERE f.change = 'replaced' AND (old.valid_to IS NULL OR x.left_open <> 0
          OR x.handed <> f.handed_over OR x.told IS DISTINCT FROM f.handed_over)
        """,
    ),
    Audit(
        "a ticket that changed hands is in those of the successor, and of nobody else",
        Kind.LOST,
        """
        SELECT x.id || ' of ' || t.ref FROM told t,
          jsonb_array_elements_text(t.more->'tickets') AS x(id)
        WHERE t.what = 'contact' AND t.said = 'replaced' AND (
          (SELECT count(*) FROM assignment_officer o WHERE o.ticket_id::text = x.id
             AND o.officer = t.more->>'officer') <> 1
          OR (SELECT count(*) FROM assignment_officer o WHERE o.ticket_id::text = x.id
             AND o.until IS NULL) > 1)
        """,
    ),
    Audit(
        "a ticket that an officer took was taken once",
        Kind.DOUBLED,
        """
        SELECT t.ref || ' ' || t.said FROM told t WHERE t.what = 'officer' AND (SELECT count(*)
          FROM assignment_officer o WHERE o.ticket_id::text = t.ref AND o.officer = t.said) <> 1
        """,
    ),
)
KNOWLEDGE = (
    Audit(
        "the versions of an item have no gap",
        Kind.GAPS,
        """
        SELECT i.id || ': last ' || i.last_number || ', there '
          || coalesce(string_agg(v.number::text, ' ' ORDER BY v.number), 'none')
        FROM knowledge_item i LEFT JOIN knowledge_version v ON v.item_id = i.id
        GROUP BY i.id, i.last_number
        HAVING count(v.number) <> i.last_number OR max(v.number) <> i.last_number
        """,
    ),
    Audit(
        "an item is where its last acknowledged step left it",
        Kind.UNACKNOWLEDGED,
        """
        SELECT t.ref || ': told ' || max(t.n) || ' of ' || max((t.more->>'last')::int) || ', is '
          || coalesce(max(i.revision), 0) || ' of ' || coalesce(max(i.last_number), 0)
        FROM told t LEFT JOIN knowledge_item i ON i.id::text = t.ref
        WHERE t.what = 'knowledge' GROUP BY t.ref
        HAVING max(i.revision) IS DISTINCT FROM max(t.n)
          OR max(i.last_number) IS DISTINCT FROM max((t.more->>'last')::int)
        """,
    ),
    Audit(
        "each step of an item was told of once, and is one event, in their order",
        Kind.REORDERED,
        """
        SELECT i.id || ': told ' || coalesce(x.told, 'nothing') || ', events '
          || coalesce(x.events, 'none')
        FROM knowledge_item i, LATERAL (SELECT
          (SELECT string_agg(t.said, ' ' ORDER BY t.n) FROM told t
           WHERE t.what = 'knowledge' AND t.ref = i.id::text) AS told,
          (SELECT string_agg(o.data->>'move', ' ' ORDER BY o.n) FROM outbox o
           WHERE o.subject = i.id::text AND o.type LIKE '%knowledge-item-changed%') AS events
        ) x
        WHERE x.told IS DISTINCT FROM x.events AND EXISTS (SELECT FROM knowledge_version v
          WHERE v.item_id = i.id AND v.number = 1 AND v.author LIKE 'client-%')
        """,
    ),
)
LOOKS = (
    Audit(
        "whatever was shown in clear is on record once",
        Kind.UNACKNOWLEDGED,
        """
        SELECT DISTINCT t.ref || ' of ' || t.said FROM told t WHERE t.what = 'look' AND
          (SELECT count(*) FROM identity_view v
           WHERE v.id::text = t.ref AND v.ticket_id::text = t.said) <> 1
        """,
    ),
    Audit(
        "an acknowledged look and its repetition are one record",
        Kind.DOUBLED,
        """
        SELECT more->>'key' FROM told WHERE what = 'look' GROUP BY more->>'key'
        HAVING count(DISTINCT ref) > 1
        """,
    ),
    Audit(
        "each request to look is one record, seen or not",
        Kind.DOUBLED,
        """
        SELECT v.ticket_id || ': records ' || count(*) || ', requests ' || (SELECT
            count(DISTINCT t.more->>'key') FROM told t
            WHERE t.what IN ('look', 'unseen') AND t.said = v.ticket_id::text)
        FROM identity_view v GROUP BY v.ticket_id HAVING count(*) <> (SELECT
          count(DISTINCT t.more->>'key') FROM told t
          WHERE t.what IN ('look', 'unseen') AND t.said = v.ticket_id::text)
        """,
    ),
)
JOINING = (
    Audit(
        "a ticket that the bulk reports as done has one assignment",
        Kind.DOUBLED,
        """
        SELECT t.ref || ' ' || t.said FROM told t WHERE t.what = 'bulk' AND
          (SELECT count(*) FROM assignment a WHERE a.ticket_id::text = t.ref) <> 1 +
          (SELECT count(*) FROM ticket_move m
           WHERE m.ticket_id::text = t.ref AND m.act = 'reply_inherited')
        """,
    ),
    Audit(
        "it is at the unit that was told, with one move",
        Kind.UNACKNOWLEDGED,
        """
        SELECT t.ref || ' ' || t.said FROM told t WHERE t.what = 'bulk' AND (SELECT
          count(*) FROM ticket_move m WHERE m.ticket_id::text = t.ref AND m.act = 'assigned'
            AND m.version = t.n AND m.facts->>'unit_code' IS NOT DISTINCT FROM t.said) <> 1
          AND NOT EXISTS (SELECT FROM assignment a WHERE a.ticket_id::text = t.ref
            AND a.unit_code = t.said)
        """,
    ),
    Audit(
        "who was joined still is, and got the answer of the parent",
        Kind.LOST,
        """
        SELECT t.ref || ' to ' || t.said || ' is ' || coalesce(k.status, 'gone') FROM told t
        LEFT JOIN ticket k ON k.id::text = t.ref WHERE t.what = 'joined' AND (k.id IS NULL
          OR (SELECT count(*) FROM ticket_move m WHERE m.ticket_id = k.id
              AND m.act = 'reply_inherited') <> 1)
        """,
    ),
    Audit(
        "who was let go has no parent, and not its answer",
        Kind.DOUBLED,
        """
        SELECT t.ref || ' of ' || t.said FROM told t JOIN ticket k ON k.id::text = t.ref
        WHERE t.what = 'left' AND (k.parent_id IS NOT NULL OR EXISTS (SELECT FROM ticket_move m
          WHERE m.ticket_id = k.id AND m.act = 'reply_inherited'))
        """,
    ),
)
# Of every ticket, by whatever ways it went.
FAMILIES = (
    Audit(
        "a parent counts those who are joined to it",
        Kind.LOST,
        """
        SELECT p.id || ': counts ' || p.children || ', has ' || count(c.id)
        FROM ticket p LEFT JOIN ticket c ON c.parent_id = p.id
        GROUP BY p.id HAVING p.children <> count(c.id)
        """,
    ),
    Audit(
        "nobody waits for a parent that was answered or ended",
        Kind.LOST,
        """
        SELECT c.id || ': waits for ' || p.id || ', which is ' || p.status
        FROM ticket c JOIN ticket p ON p.id = c.parent_id
        WHERE c.status = 'merged' AND p.status IN ('callback', 'closed', 'archived', 'answered',
          'routed_out', 'terminated', 'withdrawn')
        """,
    ),
    Audit(
        "who can be called was called, or tried, before the close",
        Kind.LOST,
        """
        SELECT t.id || ': ' || t.status FROM ticket t
        WHERE t.status IN ('closed', 'archived') AND t.disposition IS NULL AND t.has_contact
          AND t.wants_callback IS NOT FALSE AND NOT EXISTS (SELECT FROM callback_task k
            WHERE k.ticket_id = t.id AND k.outcome IS NOT NULL)
        """,
    ),
)
# In the evaluation service's database.
RATINGS = (
    Audit(
        "what a caller heard at last is one invitation and one review of the callback",
        Kind.LOST,
        """
        SELECT DISTINCT t.ref || ': invitations ' || x.invitations || ', reviews ' || x.reviews
        FROM told t, LATERAL (SELECT
          (SELECT count(*) FROM invitation i
           WHERE i.matter_kind = 'ticket' AND i.matter_id::text = t.ref) AS invitations,
          (SELECT count(*) FROM review r WHERE r.matter_kind = 'ticket'
             AND r.matter_id::text = t.ref AND r.channel = 'callback') AS reviews
        ) x
        WHERE t.what = 'heard' AND t.said = 'closed' AND (x.invitations <> 1 OR x.reviews <> 1)
        """,
    ),
)
RECORDS = (*CONTACTS, *KNOWLEDGE, *LOOKS, *JOINING, *FAMILIES)
