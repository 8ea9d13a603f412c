"""The commands that every service's own console script offers."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import orjson
import typer
from alembic.util import CommandError
from rich.console import Console
from rich.table import Table
from sqlalchemy.exc import DBAPIError

from tongban_common import dead_letters, migrations, policies
from tongban_common.clock import utc_now
from tongban_common.db import sqlstate
from tongban_common.errors import BadInput, Refusal
from tongban_common.service import ROLES, Kit, Service, run_worker
from tongban_common.settings import ServiceSettings, read_settings
from tongban_common.telemetry import configure_logging

T = TypeVar("T")
_out = Console()
_err = Console(stderr=True)

SettingsSource = Callable[[Service], ServiceSettings]


def _letter_id(value: int) -> int:
    if not 0 < value < 2**63:  # the column ends there
        _stop(f"没有编号为 {value} 的死信")
    return value


LetterId = Annotated[int, typer.Argument(callback=_letter_id)]


def settings_from_environment(service: Service) -> ServiceSettings:
    return read_settings(service.settings)


def commands(
    service: Service, settings_of: SettingsSource = settings_from_environment
) -> typer.Typer:
    """`api`, `worker`, `migrate`, `policies`, `dlq` and `calendar` of one service."""
    cli = typer.Typer(name=service.short, help=f"{service.title}。", no_args_is_help=True)

    @cli.command()
    def api() -> None:
        """Serve HTTP."""
        import uvicorn

        settings = _settings(service, settings_of)
        configure_logging(service=service.short, json=True)
        uvicorn.run(
            service.app(service.kit(settings)),
            host=settings.host,
            port=settings.port,
            access_log=False,
            log_level="warning",
            timeout_graceful_shutdown=25,
        )

    @cli.command()
    def worker(
        role: Annotated[list[str] | None, typer.Option(help="relay, consumer, timers")] = None,
    ) -> None:
        """Send events, consume events, fire deadlines (all three, or the given roles)."""
        settings = _settings(service, settings_of)
        roles = role or list(ROLES)
        if not set(roles) <= set(ROLES):
            _stop(f"--role 只能是 {'、'.join(ROLES)}")
        if settings.kafka is None:
            _stop("worker 需要 Kafka 地址：请设置环境变量 KAFKA（见 README）")
        configure_logging(service=service.short, json=True)
        asyncio.run(_until_stopped(service, settings, roles))

    @cli.command()
    def migrate(
        revision: Annotated[str, typer.Option(help="the revision to reach")] = "head",
    ) -> None:
        """Bring the database to this release, with the packaged policies and what else it needs."""
        settings = _settings(service, settings_of)

        async def go() -> None:
            await migrations.upgrade(settings.database_url, service.package, revision)
            is_head = revision == "head"
            await _with_kit(
                service, settings, service.furnish if is_head else service.load_policies
            )

        _run(go())
        _out.print(f"{service.title}：数据库已就绪")

    cli.add_typer(_policy_commands(service, settings_of), name="policies")
    cli.add_typer(_dlq_commands(service, settings_of), name="dlq")
    cli.add_typer(_calendar_commands(service, settings_of), name="calendar")
    return cli


def _policy_commands(service: Service, settings_of: SettingsSource) -> typer.Typer:
    cli = typer.Typer(help="Rule data: versioned, effective-dated.", no_args_is_help=True)

    @cli.command("list")
    def list_() -> None:
        """The versions in this service's database."""
        rows = _run(
            _with_kit(service, _settings(service, settings_of), lambda k: policies.listed(k.db))
        )
        _print_rows(rows, ["name", "version", "effective_from", "loaded_at"])

    @cli.command()
    def check(file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)]) -> None:
        """Check a policy file without loading it; every fault is named with its line."""
        parsed = _run(_parse(service, file))
        _out.print(
            f"{file.name}：{parsed.name} 第{parsed.version}版，{parsed.effective_from}起施行，合格"
        )

    @cli.command()
    def load(file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)]) -> None:
        """Load a new version of a policy."""

        async def go(kit: Kit) -> list[policies.Policy]:
            return await policies.load(kit.db, [await _parse(service, file)])

        fresh = _run(_with_kit(service, _settings(service, settings_of), go))
        _out.print("已载入" if fresh else "该版本已在库中，内容相同")

    return cli


def _dlq_commands(service: Service, settings_of: SettingsSource) -> typer.Typer:
    cli = typer.Typer(help="Dead letters: what could not be applied.", no_args_is_help=True)
    columns = ["id", "state", "reason", "type", "subject", "shard", "n", "detail", "created_at"]

    @cli.command("list")
    def list_() -> None:
        """What waits, oldest first."""
        rows = _run(
            _with_kit(
                service,
                _settings(service, settings_of),
                lambda k: dead_letters.waiting_letters(k.db),
            )
        )
        _print_rows(rows, columns)

    @cli.command()
    def show(letter: LetterId) -> None:
        """One dead letter with its body."""
        found = _run(
            _with_kit(
                service,
                _settings(service, settings_of),
                lambda k: dead_letters.show_letter(k.db, letter),
            )
        )
        body = found.pop("body").decode("utf-8", errors="backslashreplace")
        _print_rows([found], columns)
        _out.print(body, markup=False)

    @cli.command()
    def replay(letter: LetterId) -> None:
        """Apply a dead letter again, and then what is parked behind it."""
        applied = _run(
            _with_kit(
                service,
                _settings(service, settings_of),
                lambda k: service.inbox(k).letters.replay(letter),
            )
        )
        _out.print(f"已重放{applied}条")

    @cli.command()
    def skip(letter: LetterId) -> None:
        """Give a dead letter up, and apply what is parked behind it."""
        applied = _run(
            _with_kit(
                service,
                _settings(service, settings_of),
                lambda k: service.inbox(k).letters.skip(letter),
            )
        )
        _out.print(f"已跳过；其后{applied}条已应用")

    return cli


def _calendar_commands(service: Service, settings_of: SettingsSource) -> typer.Typer:
    cli = typer.Typer(help="The working-day calendar.", no_args_is_help=True)

    @cli.command("import")
    def import_(file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)]) -> None:
        """Import a later or corrected notice and re-date the open deadlines."""

        async def go(kit: Kit) -> int:
            return await kit.calendars.import_year(
                json_document(file), where=file.name, sweeper=service.sweeper(kit), now=utc_now()
            )

        moved = _run(_with_kit(service, _settings(service, settings_of), go))
        _out.print(f"{service.title}：已导入，{moved}个期限改期")

    return cli


async def _parse(service: Service, file: Path) -> policies.Policy:
    """Raises BadPolicy."""
    raw = file.read_bytes()  # noqa: ASYNC240 - a command, nothing else runs
    return policies.parse_file(raw, service.policies, where=file.name)


async def _with_kit(
    service: Service, settings: ServiceSettings, act: Callable[[Kit], Coroutine[Any, Any, T]]
) -> T:
    kit = service.kit(settings)
    try:
        return await act(kit)
    finally:
        await kit.db.close()


async def _until_stopped(service: Service, settings: ServiceSettings, roles: list[str]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await run_worker(service, settings, roles=roles, stop=stop)


def _settings(service: Service, settings_of: SettingsSource) -> ServiceSettings:
    try:
        return settings_of(service)
    except Refusal as refusal:
        _stop(refusal.message)


def json_document(file: Path) -> dict[str, Any]:
    """Raises BadInput."""
    raw = file.read_bytes()
    if b"\x00" in raw or b"\\u0000" in raw:
        raise BadInput(f"{file.name}：含有空字符（NUL）")
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError as fault:
        raise BadInput(f"{file.name}：不是合法的JSON") from fault
    if not isinstance(document, dict):
        raise BadInput(f"{file.name}：应为JSON对象")
    return document


def _run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's work; what goes wrong is one clear line, not a traceback."""
    try:
        return asyncio.run(work)
    except Refusal as refusal:
        _stop(refusal.message)
    except CommandError as fault:
        _stop(f"不能迁移：{fault}")
    except OSError as fault:
        _stop(f"连接不上数据库（{type(fault).__name__}）：请检查 DATABASE_URL，以及它是否在运行")
    except DBAPIError as fault:
        _stop(_told(fault))


def _told(fault: DBAPIError) -> str:
    """By its SQLSTATE; its own text may quote what is stored."""
    state = sqlstate(fault) or "?"
    if state == "42P01":
        return "数据库尚未迁移，请先运行 migrate"
    if state == "3D000" or state.startswith("28"):
        return f"数据库拒绝连接（SQLSTATE {state}）：请检查 DATABASE_URL 中的用户、口令和库名"
    return f"数据库出错（SQLSTATE {state}），没有办成"


def _stop(message: str) -> NoReturn:
    _err.print(message, style="red", markup=False, soft_wrap=True)
    raise typer.Exit(1)


def _print_rows(rows: list[dict[str, Any]], columns: list[str]) -> None:
    if not rows:
        _out.print("（空）")
        return
    table = Table()
    for column in columns:
        table.add_column(column)
    for row in rows:
        table.add_row(*(str(row.get(column, "")) for column in columns))
    _out.print(table)
