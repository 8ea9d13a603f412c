from collections.abc import Callable

import pytest
from typer.testing import CliRunner

from tongban_common.db import Database
from tongban_common.policies import BadPolicy, packaged_text
from tongban_common.settings import ServiceSettings
from tongban_common.testing import Client
from tongban_hotline_dispatch.domain.moves import Status
from tongban_hotline_dispatch.domain.open311.services import Kind
from tongban_hotline_dispatch.main import commands_of
from tongban_hotline_dispatch.store.open311_policy import OPEN311

Run = Callable[..., tuple[int, str]]
NEVER_STORED = {"draft"}


def test_every_status_of_a_ticket_has_its_own_reading() -> None:
    assert set(Status) - NEVER_STORED <= set(OPEN311.packaged().statuses)


def test_the_packaged_policy_is_a_catalogue() -> None:
    policy = OPEN311.packaged()
    catalogue = policy.catalogue()

    assert {each.kind for each in catalogue.services.values()} == set(Kind)
    assert catalogue.service("street-light").attributes[1].is_required
    assert catalogue.bounds.rows == 1000
    assert "closed" in catalogue.closed_statuses
    assert policy.changeset == "2004-01-01 000001"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("code: street-light", "code: street.light", "第50行 services.0.code"),
        ("code: waste", "code: noise", "service code 有重复：noise"),
        ("appeal_type: help", "appeal_type: gossip", "services.0.appeal_type"),
        ('jurisdictions: ["990000"]', "jurisdictions: []", "jurisdictions"),
        ("kind: blackbox", "kind: whitebox", "services.6.kind"),
        ("datatype: singlevaluelist", "datatype: string", "FAULT：values 只用于"),
        ("asks: false, ", "asks: false, is_required: true, ", "NOTICE：asks 为 false"),
        ("{code: LAMP_NO,", "{code: FAULT,", "street-light：attributes 的 code 有重复"),
        ('south: "17"', 'south: "70"', "south 须小于 north"),
        ("most: 90,", "most: 0,", "bounds.days.most"),
        ("clause: GeoReport v2：查询跨度不超过90日", "clause: ''", "bounds.days.clause"),
        ("update: investigating", "update: sleeping", "update 不在允许的取值之内：sleeping"),
        ("otherwise: {reads: open", "otherwise: {reads: closed", "otherwise 须为 open"),
        ("[路灯, 照明, 灯杆]", '["路灯,照明"]', "services.0.keywords.0"),
        ("url: null", "url: ftp://a", "discovery.url"),
        ("type: production", "type: demo", "discovery.type"),
    ],
)
def test_a_faulty_policy_is_refused_with_its_line(old: str, new: str, said: str) -> None:
    text = packaged_text("tongban_hotline_dispatch", "open311.yaml")
    assert old in text

    with pytest.raises(BadPolicy) as refused:
        OPEN311.parse(text.replace(old, new, 1), where="open311.yaml")

    assert said in refused.value.message
    assert "open311.yaml 第" in refused.value.message


@pytest.fixture
def run(settings: ServiceSettings, db: Database) -> Run:
    cli = commands_of(lambda _: settings)

    def invoke(*words: str) -> tuple[int, str]:
        answer = CliRunner().invoke(cli, ["open311-key", *words])
        return answer.exit_code, answer.stdout + answer.stderr

    return invoke


def test_a_key_is_made_listed_and_revoked_from_the_command_line(run: Run) -> None:
    made, output = run("create", "--client", "city-app")
    listed = run("list")
    revoked = run("revoke", "1")
    again = run("revoke", "1")

    secret = output.splitlines()[-1]
    assert made == 0
    assert secret.startswith("tb311_")
    assert "city-app" in listed[1]
    assert secret not in listed[1]
    assert revoked == (0, "密钥1（city-app）已停用\n")
    assert again == (1, "没有这个密钥，或者已停用\n")


@pytest.mark.parametrize("name", ["City App", "", "张三", "a" * 41])
def test_a_client_is_named_like_a_program(run: Run, name: str) -> None:
    assert run("create", "--client", name)[0] == 1


async def test_discovery_names_the_address_that_the_request_came_by(client: Client) -> None:
    (endpoint,) = (await client.get("/hotline/open311/v2/discovery.json")).json()["endpoints"]

    assert endpoint["url"] == "http://testserver/hotline/open311/v2"
