import re
from datetime import datetime

import pytest

from tongban_common.testing import Client, Clock
from tongban_common.working_days import SHANGHAI

URL = "/hotline/knowledge-items"
NOW = datetime(2026, 9, 21, 10, 0, tzinfo=SHANGHAI)
FORM = {
    "title": "公积金提取条件",
    "content": "购买自住住房的，<b>可以</b>提取公积金。",
    "category": "住房/公积金",
    "material": "guide",
    "keywords": "公积金、购房",
}


@pytest.fixture(autouse=True)
def _today(clock: Clock) -> None:
    clock.now = NOW


@pytest.fixture
def reviewer(client: Client) -> Client:
    return client.as_("reviewer", subject="r-1")


async def write(officer: Client) -> str:
    answer = await officer.post(f"{URL}/new", data=FORM)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"].partition("?")[0]


async def publish(officer: Client, reviewer: Client) -> str:
    url = await write(officer)
    for revision, (who, move) in enumerate(
        ((officer, "submit"), (reviewer, "review"), (reviewer, "publish")), start=1
    ):
        answer = await who.post(f"{url}/{move}", data={"revision": str(revision)})
        assert answer.status_code == 303, answer.text
    return url


async def test_an_item_is_written_on_the_page_and_its_next_moves_are_offered(
    officer: Client, reviewer: Client
) -> None:
    form = await officer.get(f"{URL}/new")
    url = await write(officer)

    mine = (await officer.get(url)).text
    theirs = (await reviewer.get(url)).text
    await officer.post(f"{url}/submit", data={"revision": "1"})
    asked = (await reviewer.get(url)).text
    listed = (await officer.get(URL)).text

    assert "负责单位</label>" not in form.text
    assert f"{url}/submit" in mine
    assert "&lt;b&gt;" in mine
    assert f"{url}/review" not in theirs
    assert f"{url}/review" in asked
    assert f"{url}/send_back" in asked
    assert "待审核" in listed


async def test_the_public_searches_and_reads_without_signing_in(
    client: Client, officer: Client, reviewer: Client
) -> None:
    empty = await client.get("/hotline/knowledge")
    url = await publish(officer, reviewer)
    public = "/hotline/knowledge/" + url.rpartition("/")[2]

    start = (await client.get("/hotline/knowledge")).text
    found = (await client.get("/hotline/knowledge", params={"q": "怎么提取公积金"})).text
    none = (await client.get("/hotline/knowledge", params={"q": "天气"})).text
    page = (await client.get(public)).text

    assert empty.status_code == 200
    assert "住房" in start
    assert 'type="search"' in start
    assert 'name="q"' in start
    assert "<mark>提取公积金</mark>" in found
    assert f'href="{public}"' in found
    assert "&lt;b&gt;" in found
    assert "没有找到" in none
    assert "A3政府" in page
    assert "u-1" not in page  # who wrote it is nobody's business


async def test_an_item_is_updated_and_its_history_shown(
    officer: Client, reviewer: Client, client: Client
) -> None:
    url = await publish(officer, reviewer)

    form = (await officer.get(f"{url}/edit")).text
    answer = await officer.post(
        f"{url}/edit", data={**FORM, "content": "租房也可以。", "revision": "4"}
    )
    page = (await officer.get(answer.headers["location"])).text
    stale = await officer.post(f"{url}/edit", data={**FORM, "revision": "4"})

    assert "公积金、购房" in form
    assert "第2版；第1版仍在用" in page
    assert "已保存" in page
    for said in ("新建草稿（第1版）", "审核通过（第1版）", "修改（第2版）"):
        assert said in page
    assert stale.status_code == 412


async def test_errors_duties_and_attestations_are_on_the_page(
    officer: Client, reviewer: Client, hub: Client
) -> None:
    url = await publish(officer, reviewer)

    reported = await hub.post(f"{url}/error", data={"what": "电话13812345678有误"})
    duties = (await officer.get(f"{URL}/duties")).text
    attested = await officer.post(f"{URL}/attest")
    after = (await officer.get(attested.headers["location"])).text
    (why,) = re.findall(rf"{URL}/duties/[0-9a-f-]+", duties)
    explained = (await officer.get(why)).text
    late = (await hub.get(f"{URL}/duties", params={"missed": "yes"})).text

    assert reported.status_code == 303
    assert "差错更正" in duties
    assert "138****5678" in duties
    assert "2026年9月22日 24:00" in duties
    assert "差错1个工作日内更正" in explained
    assert "已确认本周知识无误" in after
    assert "暂无记录" in late
    assert (await hub.post(f"{URL}/attest")).status_code == 403


async def test_an_import_is_reported_row_by_row(hub: Client) -> None:
    text = "标题,内容,单位编码,分类\r\n甲,乙,A3,丙\r\n,乙,A3,丙\r\n"

    form = await hub.get(f"{URL}/import")
    done = await hub.post(f"{URL}/import", files={"file": ("a.csv", text.encode(), "text/csv")})
    broken = await hub.post(f"{URL}/import", files={"file": ("a.csv", b"", "text/csv")})

    assert "必需的列：标题、内容、分类" in form.text
    assert "导入 1 条，未导入 1 条" in done.text
    assert "标题为空" in done.text
    assert broken.status_code == 400


async def test_a_move_on_the_page_needs_the_permission_that_the_api_needs(
    officer: Client,
) -> None:
    url = await write(officer)
    await officer.post(f"{url}/submit", data={"revision": "1"})

    refused = await officer.post(f"{url}/review", data={"revision": "2"})
    unknown = await officer.post(f"{url}/burn", data={"revision": "2"})

    assert (refused.status_code, unknown.status_code) == (403, 422)


@pytest.mark.parametrize("path", ["", "/new", "/duties", "/import"])
async def test_staff_pages_ask_to_sign_in(client: Client, path: str) -> None:
    assert (await client.get(URL + path, headers={"accept": "text/html"})).status_code == 401
