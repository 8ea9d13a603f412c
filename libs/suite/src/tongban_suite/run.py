"""The suite on this machine: a demo city in it, and pages to open."""

import asyncio
import contextlib
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import asyncpg
from alembic.util import CommandError
from rich.console import Console
from sqlalchemy.exc import SQLAlchemyError
from starlette.types import ASGIApp

from tongban_common.cli import json_document
from tongban_common.clock import utc_now
from tongban_common.errors import Conflict
from tongban_common.settings import ServiceSettings
from tongban_suite import STARTED, signals
from tongban_suite.city import City, Gateway, prepare
from tongban_suite.demo import build_demo, citizens_numbers, review_links
from tongban_suite.doors import Door
from tongban_suite.embedded import EmbeddedPostgres
from tongban_suite.front import front_door
from tongban_suite.home import MEND, BadHome, Home, HomeInUse
from tongban_suite.serving import serve
from tongban_suite.story import CALLER

_console = Console(soft_wrap=True)
_POLL_SECONDS = 0.5


class NoCity(Conflict):
    code = "suite.no_city"


async def run_suite(home: Home, server: EmbeddedPostgres, door: Door) -> None:
    """Until SIGINT or SIGTERM. The data stay for the next time."""
    settings = await _prepared(home, server, door.address)
    city = City(settings)
    stop = asyncio.Event()
    try:
        work = asyncio.create_task(city.work(stop=stop, poll_seconds=_POLL_SECONDS))
        try:
            await serve(
                gateway(city, home), door.socket, ready=partial(_announce, city, door.address)
            )
        finally:
            stop.set()
            await work
    finally:
        await city.close()


async def _prepared(
    home: Home, server: EmbeddedPostgres, address: str
) -> Mapping[str, ServiceSettings]:
    """Databases with a whole demo city: half a one, left by a Ctrl-C, is dropped first."""
    settings = home.settings(server, public_url=address)
    names = list(settings)
    try:
        if home.has_demo and not await server.ensure(names):
            await prepare(settings)
            return settings
        await server.drop(names)
        await server.ensure(names)
        await server.hurry(names, on=True)
        await prepare(settings)
    except (SQLAlchemyError, asyncpg.PostgresError, CommandError) as fault:
        raise BadHome(f"{home.folder} 的数据无法使用（{type(fault).__name__}）{MEND}") from fault
    city = City(settings)
    try:
        await build_demo(city, today=utc_now(), console=_console)
    finally:
        await city.close()
    await server.hurry(names, on=False)
    home.keep_demo()
    return settings


def gateway(city: City, home: Home) -> ASGIApp:
    """The five apps behind one address, with the demo's sign-in page."""
    apps = {}
    for short, station in city.stations.items():
        apps[short] = station.service.app(station.kit)
        apps[short].state.sign_in = True
    return Gateway(apps, front_door(home.issuer))


async def _announce(city: City, base: str) -> None:
    seconds = time.perf_counter() - STARTED
    _console.print(f"\n[bold]通办已就绪[/bold]（{seconds:.1f} 秒）")
    _console.print(f"  公开门户　　{base}/")
    _console.print(
        f"  选择身份　　{base}/sign-in　（演示用：坐席台、派单台、承办台、监督台、窗口……）"
    )
    _console.print(
        f"  热线办公桌　{base}/hotline/desk　（坐席台、派单台、承办台、监督台，按所选身份）"
    )
    _console.print(f"  考核记分卡　{base}/scoring/scorecards")
    _console.print(f"  坐席台　　　{base}/hotline/desk/agent　（有往来的来电号码：{CALLER}）")
    for what, number, code in await citizens_numbers(city):
        _console.print(f"  进度查询　　{base}/hotline/progress　{what} {number} 查询码 {code}")
    for link in await review_links(city, base):
        _console.print(f"  评价链接　　{link}")
    _console.print("  Ctrl-C 停止；make run RESET=1 重新开始\n")


def import_notice(home: Home, file: Path) -> None:
    """Import a calendar notice into the five databases of this machine's suite."""
    document = json_document(file)
    if not home.has_demo:
        raise NoCity(f"{home.folder} 还没有数据；请先运行 make run")
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(HomeInUse):  # by a run, which goes on beside this
            stack.enter_context(home.locked())
        server = stack.enter_context(home.server())
        signals.run(_import(home, server, document, file.name))


async def _import(
    home: Home, server: EmbeddedPostgres, document: Mapping[str, object], where: str
) -> None:
    settings = home.settings(server)
    await prepare(settings)
    city = City(settings)
    try:
        for station in city.stations.values():
            moved = await station.kit.calendars.import_year(
                document, where=where, sweeper=station.sweeper, now=utc_now()
            )
            _console.print(f"{station.service.title}：{moved}个期限改期")
        await city.settle()
    finally:
        await city.close()
