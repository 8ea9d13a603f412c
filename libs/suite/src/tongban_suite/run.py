"""`tongban run`: everything on this machine, a demo city in it, and pages to open."""

import asyncio
import contextlib
import time
from pathlib import Path

import orjson
import uvicorn
from rich.console import Console
from starlette.types import ASGIApp

from tongban_common.clock import utc_now
from tongban_common.errors import BadInput
from tongban_common.telemetry import configure_logging
from tongban_suite.city import City, Gateway, prepare
from tongban_suite.demo import build_demo, review_links
from tongban_suite.embedded import EmbeddedPostgres
from tongban_suite.front import front_door
from tongban_suite.home import Home

_console = Console(soft_wrap=True)
_POLL_SECONDS = 0.5


def run_suite(home: Home, *, host: str, port: int) -> None:
    """Until Ctrl-C. The data stay for the next time."""
    configure_logging(service="suite", json=False)
    with EmbeddedPostgres(home.database) as server, contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(home, server, host=host, port=port))
    _console.print("已停止；数据保留在 " + str(home.folder), markup=False)


async def _serve(home: Home, server: EmbeddedPostgres, *, host: str, port: int) -> None:
    started = time.perf_counter()
    settings = home.settings(server)
    missing = await server.ensure(list(settings))
    await prepare(settings)
    city = City(settings)
    try:
        if missing or not (home.folder / "demo").exists():
            await build_demo(city, today=utc_now(), console=_console)
            (home.folder / "demo").touch()
        await _announce(city, host, port, time.perf_counter() - started)
        await _until_stopped(city, home, host=host, port=port)
    finally:
        await city.close()


async def _until_stopped(city: City, home: Home, *, host: str, port: int) -> None:
    server = uvicorn.Server(
        uvicorn.Config(
            gateway(city, home),
            host=host,
            port=port,
            access_log=False,
            log_level="warning",
            timeout_graceful_shutdown=5,
        )
    )
    stop = asyncio.Event()
    work = asyncio.create_task(city.work(stop=stop, poll_seconds=_POLL_SECONDS))
    try:
        await server.serve()
    finally:
        stop.set()
        await work


def gateway(city: City, home: Home) -> ASGIApp:
    """The five apps behind one address, with the demo's sign-in page."""
    apps = {}
    for short, station in city.stations.items():
        apps[short] = station.service.app(station.kit)
        apps[short].state.sign_in = True
    return Gateway(apps, front_door(home.issuer))


async def _announce(city: City, host: str, port: int, seconds: float) -> None:
    base = f"http://{'localhost' if host in {'127.0.0.1', '0.0.0.0'} else host}:{port}"  # noqa: S104
    _console.print(f"\n[bold]通办已就绪[/bold]（{seconds:.1f} 秒）")
    _console.print(f"  公开门户　　{base}/")
    _console.print(f"  选择身份　　{base}/sign-in　（演示用：话务、承办单位、窗口、督查、签发……）")
    _console.print(f"  工单　　　　{base}/hotline/tickets")
    _console.print(f"  考核记分卡　{base}/scoring/scorecards")
    for link in await review_links(city, base):
        _console.print(f"  评价链接　　{link}")
    _console.print("  Ctrl-C 停止；make run RESET=1 重新开始\n")


async def import_notice(home: Home, file: Path) -> None:
    """Import a calendar notice into the five databases of this machine's suite."""
    try:
        document = orjson.loads(file.read_bytes())  # noqa: ASYNC240 - a command, nothing else runs
    except orjson.JSONDecodeError as fault:
        raise BadInput(f"{file.name}：不是合法的JSON") from fault
    with EmbeddedPostgres(home.database) as server:
        settings = home.settings(server)
        await server.ensure(list(settings))
        await prepare(settings)
        city = City(settings)
        try:
            for station in city.stations.values():
                moved = await station.kit.calendars.import_year(
                    document, where=file.name, sweeper=station.sweeper, now=utc_now()
                )
                _console.print(f"{station.service.title}：{moved}个期限改期")
            await city.settle()
        finally:
            await city.close()
