"""The pages and the command of the assessment."""

import csv
import io

import httpx
from typer.testing import CliRunner

from tongban_common.db import Database
from tongban_common.service import Kit
from tongban_common.settings import ServiceSettings
from tongban_common.testing import Client
from tongban_hotline_dispatch.main import commands_of

from .building import GOOD, SETTLED, Computed, Opened, noted

PAGE = "/hotline/assessment"


async def test_one_goes_from_the_groups_to_a_unit_to_the_tickets_behind_a_figure(
    kit: Kit, opened: Opened, computed: Computed, client: Client
) -> None:
    case = await (await opened()).whole(GOOD)
    for _ in range(5):
        await (await opened(unit="A7")).whole(SETTLED)
    await noted(kit, ("yellow_card", "黄牌〔2026〕1号"), unit="A7")
    await computed()
    supervisor = client.as_("supervisor", subject="s-1")

    overview = (await supervisor.get(PAGE)).text
    unit = (await supervisor.get(f"{PAGE}/units/A7?period=2026-09&run=1")).text
    figures = f"{PAGE}/units/A3/figures"
    tickets = (await supervisor.get(f"{figures}/on_time_close_rate?period=2026-09")).text
    cards = (
        await supervisor.get(f"{PAGE}/units/A7/figures/yellow_card?period=2026-09&side=numerator")
    ).text

    assert "市直部门" in overview
    assert "县区政府" in overview
    assert "<svg" in overview
    assert "不足5件" in overview
    assert "第1次核算" in overview
    assert "扣分和加分" in unit
    assert "求助" in unit
    assert case.ticket.ticket_no in tickets
    assert "黄牌〔2026〕1号" in cards


async def test_a_unit_sees_its_own_page_alone_and_an_empty_city_says_so(
    opened: Opened, computed: Computed, officer: Client, client: Client
) -> None:
    supervisor = client.as_("supervisor", subject="s-1")
    assert "还没有核算过" in (await supervisor.get(PAGE)).text
    await (await opened()).whole(GOOD)
    await (await opened(unit="A7")).whole(GOOD)
    await computed()

    mine = (await officer.get(PAGE)).text
    other = await officer.get(f"{PAGE}/units/A7?period=2026-09")
    missing = await supervisor.get(f"{PAGE}?period=2019-01")

    assert "A3政府" in mine
    assert "A7政府" not in mine
    assert other.status_code == 403
    assert missing.status_code == 404


def test_the_command_computes_and_computes_again(settings: ServiceSettings, db: Database) -> None:
    runner = CliRunner()
    cli = commands_of(lambda _: settings)

    first = runner.invoke(cli, ["assess", "2026-09"])
    second = runner.invoke(cli, ["assess", "2026-09"])
    wrong = runner.invoke(cli, ["assess", "september"])

    assert (first.exit_code, second.exit_code) == (0, 0), first.output + second.output
    assert "第1次核算" in first.output
    assert "第2次核算" in second.output
    assert wrong.exit_code == 1


async def test_the_figures_leave_by_the_file_with_both_sides_and_what_is_withheld_stays_so(
    opened: Opened, computed: Computed, client: Client, officer: Client
) -> None:
    await (await opened()).whole(GOOD)
    for _ in range(5):
        await (await opened(unit="A7")).whole(SETTLED)
    await computed()
    supervisor = client.as_("supervisor", subject="s-1")
    address = "/hotline/v1/exports/assessment.csv"

    def rows(answer: httpx.Response) -> dict[str, dict[str, str]]:
        assert answer.status_code == 200, answer.text
        text = answer.content.decode("utf-8-sig")
        return {each["单位编码"]: each for each in csv.DictReader(io.StringIO(text, newline=""))}

    found = rows(await supervisor.get(f"{address}?period=2026-09&run=1"))

    assert found.keys() == {"A3", "A7"}
    assert (found["A3"]["按时办结率（分子）"], found["A3"]["按时办结率（分母）"]) == ("1", "1")
    assert (found["A3"]["满意率（分子）"], found["A3"]["满意率"]) == ("", "")  # one rating
    assert found["A7"]["满意率"] != ""
    assert rows(await officer.get(address)).keys() == {"A3"}
    assert (await supervisor.get(f"{address}?period=2025-01")).status_code == 404
    sheet = await supervisor.get("/hotline/v1/exports/assessment.xlsx")
    assert sheet.content.startswith(b"PK")
    assert "/hotline/v1/exports/assessment.xlsx" in (await supervisor.get(PAGE)).text
