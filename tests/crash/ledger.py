"""The effect ledger, and a slow disk: triggers in the databases of a run.

The ledger notes, in the consumer's own transaction, what that transaction did. A BEFORE INSERT
trigger on each table of effects notes every attempt, also one that a conflict then turns into
nothing; an UPDATE trigger notes every movement of a watermark. Rows of one transaction share its
id. So the processes run unmodified, and a doubled effect cannot hide behind a unique key.

The slow disk makes commits take their time: of business transactions, of relays that move their
cursor, of consumers that move their watermark. So a kill has a fair chance to fall between two
systems, where the bugs live.
"""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from .effects import TABLES

_SQL = (
    """
    CREATE TABLE crash_ledger (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      transaction text NOT NULL DEFAULT pg_current_xact_id()::text,
      what text NOT NULL,
      noted jsonb NOT NULL
    )
    """,
    """
    CREATE FUNCTION crash_note() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO crash_ledger (what, noted) VALUES (TG_TABLE_NAME, to_jsonb(NEW));
      RETURN NEW;
    END $$
    """,
    """
    CREATE FUNCTION crash_note_watermark() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO crash_ledger (what, noted) VALUES ('watermark', jsonb_build_object(
        'topic', NEW.topic, 'shard', NEW.shard, 'before', OLD.applied, 'after', NEW.applied));
      RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER crash_note AFTER UPDATE ON inbox_watermark FOR EACH ROW
    EXECUTE FUNCTION crash_note_watermark()
    """,
    """
    CREATE FUNCTION crash_slow_commit() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF current_setting('crash.is_slow', true) IS DISTINCT FROM 'yes' THEN
        PERFORM set_config('crash.is_slow', 'yes', true), pg_sleep(random() * TG_ARGV[0]::float);
      END IF;
      RETURN NULL;
    END $$
    """,
    # at commit, which goes on when the client is dead: then the answer, or the offset, is missing
    """
    CREATE CONSTRAINT TRIGGER crash_slow_commit AFTER INSERT ON outbox DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION crash_slow_commit(0.04)
    """,
    """
    CREATE CONSTRAINT TRIGGER crash_slow_commit AFTER UPDATE ON inbox_watermark
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION crash_slow_commit(0.1)
    """,
    # before commit, which then never comes: the brokers have what the cursor does not tell
    """
    CREATE TRIGGER crash_slow_cursor BEFORE INSERT ON outbox_cursor
    FOR EACH STATEMENT EXECUTE FUNCTION crash_slow_commit(0.15)
    """,
)


async def install(connection: AsyncConnection, service: str) -> None:
    """Into a migrated database."""
    for statement in _SQL:
        await connection.execute(text(statement))
    for table in TABLES.get(service, ()):
        await connection.execute(
            text(
                f'CREATE TRIGGER crash_note BEFORE INSERT ON "{table}" FOR EACH ROW '
                "EXECUTE FUNCTION crash_note()"
            )
        )
