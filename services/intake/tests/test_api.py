"""The HTTP edge: statuses, preconditions, idempotency, permissions, nobody's data in the open."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from httpx import Response

from tongban_common.testing import Client, Clock
from tongban_intake.domain.case import Case

Accept = Callable[..., Awaitable[Case]]

NO_CASE = UUID(int=1)
FOOD = "114401134554137174444TC12049000"
WHO = {
    "name": "张三丰",
    "id_type": "111",
    "id_number": "36098319900101001X",
    "phone": "13812345678",
}
SECRETS = ("张三丰", "36098319900101001X", "13812345678")


def a_request(**changed: Any) -> dict[str, Any]:
    return {"item_code": FOOD, "window_code": "GA-01", "applicant": WHO, **changed}


@pytest.fixture
def staff(client: Client, city: None) -> Client:
    return client.as_("chief_rep", subject="rep-1")


async def act(client: Client, case: dict[str, Any], action: str, **body: Any) -> Response:
    return await client.post(
        f"/intake/v1/cases/{case['id']}/{action}",
        json=body,
        headers={"If-Match": f'"{case["version"]}"'},
    )


async def test_a_case_is_accepted_and_found_again(staff: Client) -> None:
    answer = await staff.post("/intake/v1/cases", json=a_request(staff_code="S-001"))

    assert answer.status_code == 201
    made = answer.json()
    assert made["number"] == f"{FOOD}202609210001"
    assert len(made["query_code"]) == 8
    assert made["promise_due"] == "2026-09-29T23:59:59.999999+08:00"
    assert answer.headers["etag"] == '"1"'
    assert answer.headers["location"] == f"/intake/v1/cases/{made['id']}"

    found = await staff.get(answer.headers["location"])
    assert found.status_code == 200
    assert found.headers["etag"] == '"1"'
    body = found.json()
    assert body["applicant"]["name"] == "张**"
    assert body["unit_name"] == "高安市市场监督管理局"
    assert [move["status"] for move in body["moves"]] == ["accepted"]
    assert made["query_code"] not in found.text
    assert not any(secret in found.text + answer.text for secret in SECRETS)


async def test_a_case_is_decided_completed_and_delivered(staff: Client, clock: Clock) -> None:
    case = (await staff.post("/intake/v1/cases", json=a_request())).json()
    clock.forward(days=20)

    for action, body in (
        ("decide", {"result": "approved"}),
        ("complete", {}),
        ("deliver", {"method": "electronic"}),
    ):
        answer = await act(staff, case, action, **body)
        assert answer.status_code == 200, answer.text
        case = answer.json()
        assert answer.headers["etag"] == f'"{case["version"]}"'

    assert (case["status"], case["delivery_method"], case["version"]) == (
        "delivered",
        "electronic",
        4,
    )
    detail = (await staff.get(f"/intake/v1/cases/{case['id']}")).json()
    assert (detail["is_overdue"], detail["overdue_working_days"]) == (True, 4)


async def test_a_refusal_is_shown_with_its_grounds(staff: Client) -> None:
    case = (await staff.post("/intake/v1/cases", json=a_request())).json()
    grounds = {"reason": "RF01", "text": "场所不符合要求", "remedy": "可以申请行政复议"}

    bare = await act(staff, case, "decide", result="refused")
    assert (bare.status_code, bare.json()["code"]) == (422, "case.grounds_missing")
    refused = await act(staff, case, "decide", result="refused", grounds=grounds)

    assert refused.json()["result"] == "refused"
    assert refused.json()["delivery_due"] is None
    detail = (await staff.get(f"/intake/v1/cases/{case['id']}")).json()
    assert detail["grounds"] == grounds


@pytest.mark.parametrize(
    ("header", "status", "code"),
    [
        pytest.param({}, 428, "precondition.if_match_missing", id="没有 If-Match"),
        pytest.param({"If-Match": "x"}, 400, "precondition.bad_if_match", id="不是 ETag"),
        pytest.param({"If-Match": '"7"'}, 412, "precondition.changed_meanwhile", id="版本已变"),
        pytest.param({"If-Match": '"1"'}, 409, "case.illegal_move", id="还未决定"),
    ],
)
async def test_a_step_needs_the_version_that_was_seen(
    staff: Client, header: dict[str, str], status: int, code: str
) -> None:
    case = (await staff.post("/intake/v1/cases", json=a_request())).json()

    answer = await staff.post(f"/intake/v1/cases/{case['id']}/complete", headers=header)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["status"] == status
    assert answer.headers["content-type"] == "application/problem+json"


async def test_of_twenty_who_decide_at_once_one_is_first(staff: Client) -> None:
    case = (await staff.post("/intake/v1/cases", json=a_request())).json()

    answers = await asyncio.gather(
        *(act(staff, case, "decide", result="approved") for _ in range(20))
    )

    assert sorted(answer.status_code for answer in answers) == [200, *[412] * 19]


async def test_the_same_key_and_body_accept_one_case(staff: Client) -> None:
    headers = {"Idempotency-Key": "window-1-000001"}

    answers = await asyncio.gather(
        *(staff.post("/intake/v1/cases", json=a_request(), headers=headers) for _ in range(5))
    )
    other = await staff.post(
        "/intake/v1/cases", json=a_request(window_code="DC-01"), headers=headers
    )

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert (other.status_code, other.json()["code"]) == (422, "idempotency.key_reused")
    assert len((await staff.get("/intake/v1/cases")).json()["items"]) == 1


@pytest.mark.parametrize(
    ("changed", "status", "code"),
    [
        ({"item_code": "X"}, 404, "item.not_found"),
        ({"window_code": "X"}, 404, "window.not_found"),
        ({"window_code": "GA-09"}, 422, "window.takes_no_applications"),
        ({"item_code": "115113010833722043336098300001X"}, 422, "item.cancelled"),
        ({"item_code": "11511301008778183N4360983000022"}, 422, "item.not_applied_for"),
        ({"applicant": {**WHO, "phone": "电话"}}, 422, "request.invalid"),
        ({"applicant": {**WHO, "name": "张\x00三"}}, 422, "request.nul"),
        ({"unknown": 1}, 422, "request.invalid"),
    ],
)
async def test_what_may_not_be_accepted_is_a_problem_that_echoes_nothing(
    staff: Client, changed: dict[str, Any], status: int, code: str
) -> None:
    answer = await staff.post("/intake/v1/cases", json=a_request(**changed))

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert not any(secret in answer.text for secret in SECRETS)


async def test_a_body_that_is_not_json_is_a_problem(staff: Client) -> None:
    answer = await staff.post(
        "/intake/v1/cases", content="受理", headers={"content-type": "application/json"}
    )

    assert (answer.status_code, answer.json()["code"]) == (400, "request.not_json")


@pytest.mark.parametrize(
    ("method", "path", "body", "granted"),
    [
        ("POST", "cases", a_request(), "window_clerk"),
        ("GET", "cases", None, "inspector"),
        ("GET", f"cases/{NO_CASE}", None, "inspector"),
        ("GET", f"cases/{NO_CASE}/deadlines", None, "inspector"),
        ("GET", f"cases/{NO_CASE}/applicant", None, "window_lead"),
        ("POST", f"cases/{NO_CASE}/decide", {"result": "approved"}, "case_reviewer"),
        ("POST", f"cases/{NO_CASE}/complete", None, "window_clerk"),
        ("POST", f"cases/{NO_CASE}/deliver", {"method": "posted"}, "window_clerk"),
        ("GET", "staff", None, "inspector"),
    ],
)
async def test_who_may_do_what(
    client: Client, method: str, path: str, body: dict[str, Any] | None, granted: str
) -> None:
    async def status(who: Client) -> int:
        answer = await who.request(
            method, f"/intake/v1/{path}", json=body, headers={"If-Match": '"1"'}
        )
        return answer.status_code

    assert await status(client) == 401
    assert await status(client.as_("dispatcher")) == 403
    assert await status(client.as_(granted)) in {200, 404}


@pytest.mark.parametrize("path", ["directory", "catalogue"])
async def test_only_administrators_load_reference_data(client: Client, path: str) -> None:
    async def status(who: Client) -> int:
        answer = await who.post(f"/intake/v1/{path}", files={"file": ("a.yaml", b"x")})
        return answer.status_code

    assert await status(client) == 401
    assert await status(client.as_("chief_rep")) == 403
    assert await status(client.as_("center_admin")) == 400


async def test_an_unmasked_applicant_is_for_those_who_may(staff: Client, client: Client) -> None:
    case = (await staff.post("/intake/v1/cases", json=a_request())).json()
    path = f"/intake/v1/cases/{case['id']}/applicant"

    assert (await staff.get(path)).status_code == 200
    assert (await staff.get(path)).json() == WHO
    assert (await staff.get(path)).headers["cache-control"] == "no-store"
    assert (await client.as_("window_clerk").get(path)).status_code == 403


async def test_the_list_goes_on_where_the_page_ended(
    staff: Client, accept: Accept, clock: Clock
) -> None:
    for _ in range(5):
        await accept()
        clock.forward(minutes=1)

    numbers: list[str] = []
    cursor = ""
    for _ in range(3):
        answer = await staff.get(f"/intake/v1/cases?limit=2{cursor}")
        numbers += [each["number"][-4:] for each in answer.json()["items"]]
        cursor = f"&cursor={answer.json()['next']}"
    tampered = await staff.get(f"/intake/v1/cases?limit=2{cursor[:-1]}A")
    moved = await staff.get(f"/intake/v1/cases?limit=2&status=decided{cursor}")

    assert numbers == ["0005", "0004", "0003", "0002", "0001"]
    assert answer.json()["next"] is None
    assert (tampered.status_code, tampered.json()["code"]) == (400, "page.bad_cursor")
    assert moved.status_code == 400


async def test_the_list_is_filtered(staff: Client, accept: Accept, clock: Clock) -> None:
    late = await accept()
    clock.forward(days=30)
    await accept(window_code="DC-01")

    async def found(query: str) -> list[str]:
        items = (await staff.get(f"/intake/v1/cases?{query}")).json()["items"]
        return [each["id"] for each in items]

    assert await found("overdue=true") == [str(late.id)]
    assert await found("window=GA-01") == [str(late.id)]
    assert len(await found(f"status=accepted&unit=GA-MARKET&item={FOOD}")) == 2
    assert await found("status=decided") == []


async def test_each_deadline_is_explained_day_by_day(staff: Client) -> None:
    case = (await staff.post("/intake/v1/cases", json=a_request())).json()

    promise, legal = (await staff.get(f"/intake/v1/cases/{case['id']}/deadlines")).json()

    assert (promise["clock"], promise["amount"], promise["is_running"]) == ("promise", 5, True)
    assert promise["due"] == case["promise_due"]
    counted = [day for day in promise["days"] if day["counted"]]
    assert [day["number"] for day in counted] == [1, 2, 3, 4, 5]
    assert promise["days"][0]["reason"] == "起算日不计入"
    assert (legal["clock"], legal["clause"]) == ("legal", "食品经营许可管理办法")
    assert (await staff.get(f"/intake/v1/cases/{uuid4()}/deadlines")).status_code == 404


async def test_the_public_asks_by_number_and_query_code(staff: Client, client: Client) -> None:
    case = (await staff.post("/intake/v1/cases", json=a_request())).json()
    asked = {"number": case["number"], "query_code": case["query_code"].lower()}

    found = await client.post("/intake/v1/progress", json=asked)
    wrong = await client.post("/intake/v1/progress", json={**asked, "query_code": "AAAAAAAA"})
    unknown = await client.post("/intake/v1/progress", json={**asked, "number": "X"})
    odd = await client.post("/intake/v1/progress", json={**asked, "query_code": "查询码"})

    assert found.json()["status"] == "accepted"
    assert set(found.json()) & {"applicant", "query_code", "staff_code", "id"} == set()
    for answer in (wrong, unknown, odd):
        assert (answer.status_code, answer.json()["code"]) == (404, "case.not_found")
    assert wrong.json()["detail"] == unknown.json()["detail"]


async def test_the_directory_and_the_open_items_are_public(client: Client, city: None) -> None:
    units = (await client.get("/intake/v1/units?level=park")).json()
    windows = (await client.get("/intake/v1/windows?unit=GA-CENTER&limit=2")).json()
    more = await client.get(f"/intake/v1/windows?unit=GA-CENTER&limit=2&cursor={windows['next']}")
    divisions = (await client.get("/intake/v1/divisions")).json()
    items = (await client.get("/intake/v1/items")).json()

    assert [each["code"] for each in units["items"]] == ["GX-PARK"]
    assert [each["code"] for each in windows["items"]] == ["GA-01", "GA-09"]
    assert [each["code"] for each in more.json()["items"]] == ["GA-10"]
    assert len(divisions["items"]) == 4
    assert {each["name"] for each in items["items"]} == {"食品经营许可", "营业执照遗失补领"}


async def test_an_administrator_uploads_the_directory_and_the_catalogue(
    client: Client, documents: Callable[[str], Any]
) -> None:
    admin = client.as_("center_admin")

    for path, name, count in (
        ("directory", "directory.yaml", 16),
        ("catalogue", "catalogue.csv", 5),
    ):
        file = (name, documents(name).content)
        loaded = await admin.post(f"/intake/v1/{path}", files={"file": file})
        assert loaded.status_code == 200, loaded.text
        assert sum(loaded.json()["changed"].values()) == count

    assert len((await admin.get("/intake/v1/staff?unit=GA-MARKET")).json()["items"]) == 2


@pytest.mark.parametrize(
    ("name", "content", "status", "code"),
    [
        ("a.csv", "编码\n高安\n".encode("gbk"), 400, "document.unreadable"),
        ("a.csv", b"table,code\nunits,\x00", 400, "document.unreadable"),
        ("a.txt", b"x", 400, "document.unreadable"),
        ("a.yaml", b"units:\n  - {code: A}\n", 422, "document.faulty"),
    ],
)
async def test_a_faulty_upload_is_a_problem(
    client: Client, name: str, content: bytes, status: int, code: str
) -> None:
    admin = client.as_("center_admin")

    answer = await admin.post("/intake/v1/directory", files={"file": (name, content)})

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    if code == "document.faulty":
        assert all("第 2 行 units[0]" in fault for fault in answer.json()["faults"])
