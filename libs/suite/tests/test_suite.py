from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from rich.console import Console
from typer.testing import CliRunner

from tongban_common.working_days import bundled, to_document
from tongban_suite.city import SERVICES, City
from tongban_suite.demo import build_demo
from tongban_suite.main import cli

NOW = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)


def test_the_command_mounts_the_five_services_and_its_own() -> None:
    shown = CliRunner().invoke(cli, ["--help"])

    for name in (*(service.short for service in SERVICES), "run", "replay", "doctor", "token"):
        assert name in shown.output


@pytest.mark.parametrize("short", [service.short for service in SERVICES])
def test_every_service_offers_the_same_commands(short: str) -> None:
    shown = CliRunner().invoke(cli, [short, "--help"])

    for name in ("api", "worker", "migrate", "policies", "dlq", "calendar"):
        assert name in shown.output


def test_a_token_of_the_development_issuer_names_the_role(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TONGBAN_HOME", str(tmp_path))

    issued = CliRunner().invoke(cli, ["token", "--role", "dispatcher", "--unit", "A3"])

    assert issued.output.count(".") == 2


def test_the_doctor_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TONGBAN_HOME", str(tmp_path))
    quiet = CliRunner().invoke(cli, ["doctor"])
    monkeypatch.setenv("TONGBAN_HOTLINE_PORT", "8000")
    loud = CliRunner().invoke(cli, ["doctor"])

    assert quiet.exit_code == 0
    assert "make run" in quiet.output
    assert loud.exit_code == 1
    assert "TONGBAN_HOTLINE_DATABASE_URL" in loud.output


async def test_a_later_notice_moves_the_open_deadlines_of_the_city(city: City) -> None:
    await build_demo(city, today=NOW, console=Console(quiet=True))
    year = bundled().years[2026]
    notice = {
        **to_document(year),
        "version": year.version + 1,
        "notice": "测试通知",
        "days_off": {
            **{day.isoformat(): name for day, name in year.days_off.items()},
            **{f"2026-12-{day:02}": "临时放假" for day in (1, 2, 3, 4)},
        },
    }
    hotline = city.stations["hotline"]

    moved = await hotline.kit.calendars.import_year(
        orjson.loads(orjson.dumps(notice)), where="notice.json", sweeper=hotline.sweeper, now=NOW
    )
    again = await hotline.kit.calendars.import_year(
        orjson.loads(orjson.dumps(notice)), where="notice.json", sweeper=hotline.sweeper, now=NOW
    )

    assert moved > 0
    assert again == 0
