"""What counts: every lead's assignment due in a period to its counts, in one statement.

Read from tickets, assignments and their history as they stand at the run (ADR 0017). The k-th lead
of a ticket owns the moves from the k-th assigning one up to the next. `due` is the deadline of its
first reply with every extension: a rework has a limit of its own, which is another matter; as that
may end before the first one would have, tickets done again are looked at whatever they are due.

The rating is that of the evaluation service (ticket_review) where it has one, else the last that a
callback heard; who was not reached or said nothing is in no denominator. A reappraisal takes out
the marks given before it, not those of a later callback.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.types import Text

from tongban_hotline_dispatch.domain.assessment import (
    CONTACT_DENIED,
    REAPPRAISED_RESOLUTION,
    REAPPRAISED_RESULT,
)
from tongban_hotline_dispatch.domain.callback import Mark, Resolved
from tongban_hotline_dispatch.domain.moves import Act

_ASSIGNING = [Act.ASSIGN, Act.FORCE, Act.TRANSFER, Act.INHERIT]
_REPLYING = [Act.REPLY, Act.PHASE, Act.INHERIT]
_REDOING = [Act.FAIL_REVIEW, Act.CALL_BACK]
_LEAVING = [Act.UPHOLD_RETURN, Act.MERGE, Act.WITHDRAW, Act.TERMINATE]

_SHARES = """
lead AS (
  SELECT a.*, row_number() OVER whole AS ordinal,
    lead(a.no) OVER whole IS NULL AS is_last,
    lead(a.assigned_at) OVER whole AS next_at
  FROM assignment a
  WHERE a.role = 'lead' AND a.ticket_id IN (
    SELECT ticket_id FROM assignment
    WHERE role = 'lead' AND due_at >= :starts_at AND assigned_at < :ends_at
    UNION
    SELECT id FROM ticket WHERE (rework_rounds > 0 OR phase IS NOT NULL)
      AND registered_at >= :starts_at - interval '2 years' AND registered_at < :ends_at)
  WINDOW whole AS (PARTITION BY a.ticket_id ORDER BY a.no)
),
moved AS (
  SELECT m.*, count(*) FILTER (WHERE m.act = ANY(:assigning))
    OVER (PARTITION BY m.ticket_id ORDER BY m.version) AS ordinal
  FROM ticket_move m WHERE m.ticket_id IN (SELECT ticket_id FROM lead)
),
told AS (
  SELECT m.ticket_id, m.ordinal,
    min(m.at) FILTER (WHERE m.act = ANY(:replying)) AS first_reply,
    (array_agg((m.facts->>'reply_due')::timestamptz ORDER BY m.version)
      FILTER (WHERE m.act = ANY(:replying) AND m.facts ? 'reply_due'))[1] AS first_due,
    count(*) FILTER (WHERE m.status = 'rework' AND m.act = ANY(:redoing)) AS reworks,
    count(*) FILTER (WHERE m.facts->>'resolved' = 'unresolved'
      AND m.facts->>'claimed' = 'true') AS false_resolved,
    (array_agg(m.facts ORDER BY m.version DESC) FILTER (WHERE m.facts ? 'result'))[1] AS heard,
    max(m.at) FILTER (WHERE m.facts ? 'result') AS rated_at,
    min(m.at) FILTER (WHERE m.act = ANY(:leaving)) AS gone_at
  FROM moved m GROUP BY m.ticket_id, m.ordinal
),
share AS (
  SELECT a.ticket_id, a.no, a.unit_code, a.state, a.signed_at, a.contacted_at, a.extensions,
    a.is_last, t.appeal_type, t.status, t.parent_id, t.has_contact,
    (a.sign_term->>'due_at')::timestamptz AS sign_due,
    (a.contact_term->>'due_at')::timestamptz AS contact_due,
    coalesce(h.first_due, a.due_at) AS due,
    coalesce(h.first_reply, a.replied_at) AS replied_at,
    coalesce(h.gone_at, a.next_at) AS gone_at,
    coalesce(h.reworks, 0) AS reworks, coalesce(h.false_resolved, 0) AS false_resolved,
    h.heard, coalesce(r.mark, h.heard->>'result') AS result,
    coalesce(h.rated_at, r.submitted_at, '-infinity') AS rated_at,
    (SELECT count(*) FROM jsonb_array_elements(a.asks) asked
     WHERE asked->>'kind' = 'return' AND asked->>'is_granted' = 'false') AS rejected
  FROM lead a JOIN ticket t ON t.id = a.ticket_id
  LEFT JOIN told h ON h.ticket_id = a.ticket_id AND h.ordinal = a.ordinal
  LEFT JOIN ticket_review r
    ON r.ticket_id = a.ticket_id AND r.unit_code = a.unit_code AND a.is_last
)
"""
# A unit answers for what it has, and for what was over before it was taken away. A suspended clock
# has not run out. A return that was upheld was never its duty.
_OF_PERIOD = """
due_share AS (
  SELECT s.*, coalesce(e.reason, :automatic->>s.status,
    CASE WHEN s.parent_id IS NOT NULL THEN :automatic->>'duplicate' END,
    CASE WHEN NOT s.has_contact THEN :automatic->>'no_contact' END,
    (SELECT w.reason FROM jsonb_to_recordset(:windows)
       AS w(reason text, from_at timestamptz, to_at timestamptz)
     WHERE s.due >= w.from_at AND s.due < w.to_at LIMIT 1)) AS reason
  FROM share s
  LEFT JOIN exclusion e ON e.ticket_id = s.ticket_id AND e.unit_code = s.unit_code
    AND e.state = 'approved'
  WHERE s.due >= :starts_at AND s.due < :ends_at AND s.due <= :as_of
    AND s.state <> 'returned'
    AND (s.state <> 'cancelled' OR s.gone_at > s.due
      OR (s.is_last AND s.status IN ('withdrawn', 'merged', 'terminated')))
    AND NOT (s.is_last AND s.status = 'suspended' AND s.replied_at IS NULL)
)
"""
# Names as in domain/assessment.py: Indicator, Deduction, INPUTS.
_COUNTED = """
counted AS (
  SELECT s.*, CASE WHEN s.reason IS NOT NULL
    THEN jsonb_build_object('exclusion_rate', jsonb_build_array(1, 1))
    ELSE jsonb_strip_nulls(jsonb_build_object(
      'exclusion_rate', jsonb_build_array(0, 1),
      'on_time_sign_rate', jsonb_build_array(
        coalesce(s.signed_at <= s.sign_due, false)::int, 1),
      'response_rate', CASE WHEN s.heard ? 'resolved' THEN jsonb_build_array((
        coalesce(s.contacted_at <= s.contact_due, false)
        AND s.heard->>'replied' IS DISTINCT FROM 'false' AND denied.contact IS NOT TRUE
        )::int, 1) END,
      'on_time_close_rate', jsonb_build_array(
        coalesce(s.replied_at <= s.due, false)::int, 1),
      'resolution_rate', CASE WHEN s.heard ? 'resolved'
        AND (denied.resolution_at >= s.rated_at) IS NOT TRUE
        THEN jsonb_build_array((s.heard->>'resolved' = ANY(:resolved))::int, 1) END,
      'satisfaction_rate', CASE WHEN s.result IS NOT NULL
        AND (denied.result_at >= s.rated_at) IS NOT TRUE
        THEN jsonb_build_array((s.result = ANY(:satisfied))::int, 1) END,
      'first_time_close_rate', CASE WHEN s.state = 'done'
        THEN jsonb_build_array((s.reworks = 0)::int, 1) END,
      'rework_rate', CASE WHEN s.state = 'done'
        THEN jsonb_build_array((s.reworks > 0)::int, 1) END,
      'return_rate', jsonb_build_array(s.rejected, 1),
      'extension_rate', jsonb_build_array((s.extensions > 0)::int, 1),
      'overdue', CASE WHEN NOT coalesce(s.replied_at <= s.due, false)
        THEN jsonb_build_array(1, 0) END,
      'return_rejected', CASE WHEN s.rejected > 0
        THEN jsonb_build_array(s.rejected, 0) END,
      'false_resolved', CASE WHEN s.false_resolved > 0
        AND (denied.resolution_at >= s.rated_at) IS NOT TRUE
        THEN jsonb_build_array(s.false_resolved, 0) END
    )) END AS counts
  FROM due_share s
  LEFT JOIN (
    SELECT i.ref, i.unit_code, bool_or(i.kind = 'contact_denied') AS contact,
      max(i.noted_at) FILTER (WHERE i.kind = 'reappraised_result') AS result_at,
      max(i.noted_at) FILTER (WHERE i.kind = 'reappraised_resolution') AS resolution_at
    FROM assessment_input i
    WHERE i.kind = ANY(:on_ticket) AND i.voided_at IS NULL
    GROUP BY i.ref, i.unit_code
  ) denied ON denied.ref = s.ticket_id::text AND denied.unit_code = s.unit_code
)
"""
_NOTED = """
noted AS (
  SELECT i.unit_code, i.kind || ':' || i.ref AS ref, k.adds AS counts
  FROM assessment_input i
  JOIN jsonb_to_recordset(:kinds) AS k(kind text, adds jsonb) ON k.kind = i.kind
  WHERE i.on_day >= :starts_on AND i.on_day <= :ends_on AND i.voided_at IS NULL
)
"""
_ALL = """
item AS (
  SELECT unit_code, ticket_id::text AS ref, no, ticket_id, appeal_type, reason, counts FROM counted
  UNION ALL
  SELECT unit_code, ref, 0, NULL, NULL, NULL, counts FROM noted
)
INSERT INTO assessment_item
  (run_id, unit_code, ref, no, ticket_id, appeal_type, group_code, reason, counts)
SELECT :run_id, i.unit_code, i.ref, i.no, i.ticket_id, i.appeal_type,
  coalesce(g.group_code, l.group_code, :otherwise), i.reason, i.counts
FROM item i
LEFT JOIN assessment_group g ON g.unit_code = i.unit_code
LEFT JOIN unit u ON u.code = i.unit_code
LEFT JOIN jsonb_to_recordset(:levels) AS l(level text, group_code text) ON l.level = u.level
"""
_LISTS = (*("assigning", "replying", "redoing", "leaving"), "resolved", "satisfied", "on_ticket")
_DOCUMENTS = ("automatic", "windows", "kinds", "levels")
COLLECT = text(
    "WITH " + ", ".join((_SHARES, _OF_PERIOD, _COUNTED, _NOTED)) + ", " + _ALL
).bindparams(
    *(bindparam(name, type_=ARRAY(Text)) for name in _LISTS),
    *(bindparam(name, type_=JSONB) for name in _DOCUMENTS),
)
WORDS: Mapping[str, Any] = {
    "assigning": _ASSIGNING,
    "replying": _REPLYING,
    "redoing": _REDOING,
    "leaving": _LEAVING,
    "on_ticket": [CONTACT_DENIED, REAPPRAISED_RESULT, REAPPRAISED_RESOLUTION],
    "resolved": [Resolved.YES, Resolved.BASICALLY],
    "satisfied": [Mark.SATISFIED, Mark.BASICALLY],
}
# By unit, by group, by type and by all types; '' stands for all of them.
SUM_UP = text("""
INSERT INTO assessment_figure
  (run_id, group_code, unit_code, appeal_type, measure, numerator, denominator, rate, is_withheld)
SELECT :run_id, group_code, coalesce(unit_code, ''), coalesce(appeal_type, ''), measure, n, d,
  CASE WHEN d > 0 AND NOT is_small THEN round(greatest(n, 0)::numeric / d, 6) END, is_small
FROM (
  SELECT i.group_code, i.unit_code, i.appeal_type, c.key AS measure,
    sum((c.value->>0)::int) AS n, sum((c.value->>1)::int) AS d,
    c.key = ANY(:guarded) AND sum((c.value->>1)::int) > 0
      AND sum((c.value->>1)::int) < :least AS is_small
  FROM assessment_item i CROSS JOIN LATERAL jsonb_each(i.counts) c
  WHERE i.run_id = :run_id
  GROUP BY GROUPING SETS (
    (i.group_code, i.unit_code, i.appeal_type, c.key), (i.group_code, i.unit_code, c.key),
    (i.group_code, i.appeal_type, c.key), (i.group_code, c.key))
  HAVING GROUPING(i.appeal_type) = 1 OR i.appeal_type IS NOT NULL
) summed
""").bindparams(bindparam("guarded", type_=ARRAY(Text)))
