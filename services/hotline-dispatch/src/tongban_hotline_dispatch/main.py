"""Wiring of the hotline: its declaration, and the commands that its image runs."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.progress import Progress, TextColumn
from rich.table import Table

from tongban_common.cli import SettingsSource, commands, settings_from_environment
from tongban_common.clock import utc_now
from tongban_common.errors import Refusal
from tongban_common.privacy import mask_text
from tongban_common.service import Kit, Service
from tongban_common.web.filters import number, percent
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch import api, consumers, events, operations, pages, store, timers
from tongban_hotline_dispatch.commands import Bench, catalogues, decisions, knowledge, training
from tongban_hotline_dispatch.domain.assessment import Indicator
from tongban_hotline_dispatch.domain.periods import Period
from tongban_hotline_dispatch.domain.process_document import as_markdown, as_mermaid
from tongban_hotline_dispatch.operations import (
    Outcome,
    Report,
    assessment,
    likeness_files,
    open311,
    redating,
)
from tongban_hotline_dispatch.operations.matters import first_catalogue
from tongban_hotline_dispatch.operations.redating import Redated
from tongban_hotline_dispatch.operations.suggesting import Suggester
from tongban_hotline_dispatch.operations.supervision_timers import look_round
from tongban_hotline_dispatch.settings import HotlineSettings
from tongban_hotline_dispatch.store.assessment import Run
from tongban_hotline_dispatch.store.assessment_policy import ASSESSMENT
from tongban_hotline_dispatch.store.assessment_reads import UnitLine, unit_lines
from tongban_hotline_dispatch.store.callback_policy import CALLBACK
from tongban_hotline_dispatch.store.contacts_rules import CONTACTS
from tongban_hotline_dispatch.store.counter import COUNTER
from tongban_hotline_dispatch.store.desks import DESKS
from tongban_hotline_dispatch.store.exports import EXPORT
from tongban_hotline_dispatch.store.identity_policy import IDENTITY
from tongban_hotline_dispatch.store.knowledge_rules import KNOWLEDGE
from tongban_hotline_dispatch.store.likeness_rules import LIKENESS
from tongban_hotline_dispatch.store.open311_policy import OPEN311
from tongban_hotline_dispatch.store.policies import LIMITS
from tongban_hotline_dispatch.store.process import PROCESS
from tongban_hotline_dispatch.store.routing import ROUTING
from tongban_hotline_dispatch.store.supervision_policy import SUPERVISION
from tongban_hotline_dispatch.store.surge import SURGE
from tongban_hotline_dispatch.store.upstream_policy import UPSTREAM

T = TypeVar("T")
SERVICE = Service(
    short="hotline",
    package="tongban_hotline_dispatch",
    title="12345热线派单",
    settings=HotlineSettings,
    metadata=store.metadata,
    events=events.PUBLISHED,
    routers=(*api.routers, *pages.routers),
    subscriptions=consumers.subscriptions,
    timers=timers.handlers,
    policies=(
        LIMITS,
        PROCESS,
        OPEN311,
        EXPORT,
        ROUTING,
        DESKS,
        CONTACTS,
        KNOWLEDGE,
        SUPERVISION,
        LIKENESS,
        SURGE,
        UPSTREAM,
        ASSESSMENT,
        CALLBACK,
        IDENTITY,
        COUNTER,
    ),
    state=lambda kit: {"suggester": Suggester(kit)},
    furnishing=lambda kit: first_catalogue(kit, now=utc_now()),
)


class Format(StrEnum):
    MD = "md"
    MERMAID = "mermaid"


def commands_of(settings_of: SettingsSource = settings_from_environment) -> typer.Typer:
    """The commands of every service, `import`, `process`, and the keys of Open311."""
    made = commands(SERVICE, settings_of)

    @made.command("import")
    def import_(file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)]) -> None:
        """Take in tickets from a CSV or XLSX file; bad rows are named, the rest are taken."""
        try:
            report = asyncio.run(_import(file, settings_of))
        except Refusal as refusal:
            Console(stderr=True).print(refusal.message, style="red", markup=False)
            raise typer.Exit(1) from None
        _tell(report)

    made.add_typer(_key_commands(settings_of), name="open311-key")
    made.add_typer(_supervision_commands(settings_of), name="supervision")
    _likeness_commands(made)

    @made.command()
    def assess(
        period: Annotated[str, typer.Argument(help="2026-09-21, 2026-09, 2026Q3 or 2026")],
        policy_version: Annotated[int | None, typer.Option(min=1)] = None,
    ) -> None:
        """Compute a period's assessment, or compute it again: a new run, the old ones stay."""
        _show_assessed(_run(settings_of, lambda kit: _assess(kit, period, policy_version)))

    @made.command()
    def process(
        form: Annotated[Format, typer.Option("--format", help="md or mermaid")] = Format.MD,
    ) -> None:
        """The state machines of ticket and assignment, as a document or as diagrams."""
        rules = PROCESS.packaged().process
        typer.echo(as_markdown(rules) if form is Format.MD else as_mermaid(), nl=False)

    @made.command()
    def redate() -> None:
        """Let the limits in force now hold for what is open, too; each moved clock is announced."""
        with Progress(TextColumn("已核对{task.completed}件"), console=Console(stderr=True)) as bar:
            task = bar.add_task("", total=None)

            def look(kit: Kit) -> Coroutine[Any, Any, Redated]:
                return redating.redate(
                    kit, now=utc_now(), progress=lambda done: bar.update(task, completed=done)
                )

            found = _run(settings_of, look)
        Console().print(f"核对在办工单{found.looked_at}件，时限变动{found.moved}件")

    bench = Bench(SERVICE, settings_of)
    for subject in (catalogues, training, decisions, knowledge):
        subject.add_to(made, bench)
    return made


def _likeness_commands(made: typer.Typer) -> None:
    @made.command("hot-issues")
    def hot_issues(
        file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
        top: Annotated[int, typer.Option(min=1, max=100)] = 10,
    ) -> None:
        """Replay a file of messages by the packaged rules: the issues that were hottest, and when.

        CSV or .gz with title, content and, as far as there are, received_at, complainant,
        supports, opposes.
        """
        rules = LIKENESS.packaged().rules
        messages = _read(file)
        found = likeness_files.peaks(messages, rules)
        days = rules.heat.window_days
        Console().print(
            f"{len(messages)}条留言，{len(found)}个热点；按{days}日内最高热度", highlight=False
        )
        table = Table("热度", "最热之日", "件数", "人数", "票数", "此前", "合计", "首末", "事项")
        for each in found[:top]:
            counted = each.counted
            first, last = each.messages[0], each.messages[-1]
            numbers = (counted.tickets, counted.people, counted.votes, counted.before)
            table.add_row(
                str(each.heat),
                f"{each.on:%Y-%m-%d}",
                *map(str, numbers),
                str(len(each.messages)),
                f"{first.at:%m-%d}～{last.at:%m-%d}",
                f"{mask_text(first.title)}\n{'、'.join(each.words[:6])}",
            )
        Console().print(table)

    @made.command("common-words")
    def common_words(file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)]) -> None:
        """Count anew how common each word is in a file of messages: the end of likeness.yaml."""
        typer.echo(likeness_files.common_words(_read(file), LIKENESS.packaged().rules), nl=False)


def _read(file: Path) -> list[likeness_files.Message]:
    try:
        return likeness_files.read_messages(file)
    except Refusal as refusal:
        Console(stderr=True).print(refusal.message, style="red", markup=False)
        raise typer.Exit(1) from None


async def _assess(kit: Kit, code: str, policy_version: int | None) -> tuple[Run, list[UnitLine]]:
    now = utc_now()
    period = Period.of(code)
    standard = await assessment.standard_of(kit, period.ends_on, policy_version)
    async with kit.db.transaction() as tx:
        wanted = assessment.Wanted(actor="assess")
        _, run = await assessment.assess_or_recompute(
            tx, period=period, wanted=wanted, standard=standard, now=now
        )
    async with kit.db.reading() as reads:
        return run, await unit_lines(reads, run.id, unit_code=None)


def _show_assessed(found: tuple[Run, list[UnitLine]]) -> None:
    run, lines = found
    rates = (Indicator.ON_TIME_CLOSE, Indicator.RESOLUTION, Indicator.SATISFACTION)
    table = Table("分组", "单位", "到期", "按时办结率", "解决率", "满意率", "得分", "档次")
    for each in lines:
        due = each.figures.get(Indicator.ON_TIME_CLOSE)
        shown = [percent(f.rate if (f := each.figures.get(name)) else None) for name in rates]
        count = str(due.denominator if due else 0)
        table.add_row(
            each.group, each.unit_name, count, *shown, number(each.total), each.tier or "不评档"
        )
    out = Console(soft_wrap=True)
    out.print(f"第{run.no}次核算，考核办法第{run.policy_version}版", highlight=False)
    out.print(table)


def _key_commands(settings_of: SettingsSource) -> typer.Typer:
    keys = typer.Typer(help="The api_keys of Open311 clients.", no_args_is_help=True)
    out = Console(soft_wrap=True)

    @keys.command()
    def create(
        client: Annotated[str, typer.Option(help="the application: a-z, 0-9, - and _")],
    ) -> None:
        """Make a key. It is shown now and never again: only its digest is kept."""
        key_id, secret = _run(settings_of, lambda kit: open311.new_key(kit, client, now=utc_now()))
        out.print(f"密钥{key_id}（{client}），只显示这一次：", highlight=False)
        out.print(secret, markup=False, highlight=False)

    @keys.command("list")
    def list_() -> None:
        """Every key, with its client; no key is shown."""
        table = Table("编号", "客户端", "核发时间", "停用时间")
        for each in _run(settings_of, open311.all_keys):
            moments = [_minute(at) for at in (each.created_at, each.revoked_at)]
            table.add_row(str(each.id), each.client, *moments)
        out.print(table)

    @keys.command()
    def revoke(key_id: Annotated[int, typer.Argument(help="its number in the list")]) -> None:
        """Stop a key at once; its client's requests stay."""
        client = _run(settings_of, lambda kit: open311.stop_key(kit, key_id, now=utc_now()))
        out.print(f"密钥{key_id}（{client}）已停用", highlight=False)

    return keys


def _supervision_commands(settings_of: SettingsSource) -> typer.Typer:
    group = typer.Typer(help="Supervision (督办).", no_args_is_help=True)

    @group.callback()
    def _group() -> None:
        """Keeps `round` a command of its own."""

    @group.command("round")
    def round_() -> None:
        """What happens every night: patterns are counted, supervisions issued."""
        made = _run(settings_of, lambda kit: look_round(kit, now=utc_now()))
        for each in made:
            Console().print(
                f"{each.level} {each.order.cause}：{'、'.join(each.units)}", markup=False
            )
        Console().print(f"新下达{len(made)}件", highlight=False)

    return group


def _minute(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"


def _run(settings_of: SettingsSource, act: Callable[[Kit], Coroutine[Any, Any, T]]) -> T:
    async def go() -> T:
        kit = SERVICE.kit(settings_of(SERVICE))
        try:
            return await act(kit)
        finally:
            await kit.db.close()

    try:
        return asyncio.run(go())
    except Refusal as refusal:
        Console(stderr=True).print(refusal.message, style="red", markup=False)
        raise typer.Exit(1) from None


async def _import(file: Path, settings_of: SettingsSource) -> Report:
    kit = SERVICE.kit(settings_of(SERVICE))
    try:
        with Progress(console=Console(stderr=True)) as bar:
            task = bar.add_task(file.name)
            return await operations.import_file(
                kit,
                content=file.read_bytes(),  # noqa: ASYNC240 - a command, nothing else runs
                actor="import",
                now=utc_now(),
                progress=lambda done, total: bar.update(task, completed=done, total=total),
            )
    finally:
        await kit.db.close()


def _tell(report: Report) -> None:
    out = Console()
    for row in report.rows:
        if row.outcome is Outcome.REFUSED:
            out.print(f"第{row.line}行 未导入：{row.reason}", markup=False, highlight=False)
    out.print(f"导入{report.taken}条，已有{report.known}条，未导入{report.refused}条")
    if report.refused:
        raise typer.Exit(2)


cli = commands_of()
