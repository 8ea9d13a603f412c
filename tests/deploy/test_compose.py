"""docker-compose.yml: valid, locked down, and speaking of settings and topics that exist."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tongban_common import policies
from tongban_common.service import Service

Container = dict[str, Any]
Containers = dict[str, Container]


@pytest.fixture
def containers(root: Path) -> Containers:
    document = yaml.safe_load((root / "docker-compose.yml").read_text(encoding="utf-8"))
    containers: Containers = document["services"]
    return containers


def test_the_compose_file_follows_the_compose_specification(root: Path) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]

    checked = subprocess.run(
        [*command, root / "docker-compose.yml"], capture_output=True, text=True, check=False
    )

    assert checked.returncode == 0, checked.stdout


def test_a_service_is_migrated_served_and_worked(each: Service, containers: Containers) -> None:
    migrated = {f"{each.short}-migrate": {"condition": "service_completed_successfully"}}

    migrate, api, worker = (
        containers[f"{each.short}-{role}"] for role in ("migrate", "api", "worker")
    )

    assert migrate["command"] == ["migrate"]
    assert migrate["restart"] == "no"
    assert api["command"] == ["api"]
    assert api["depends_on"] == migrated
    assert worker["command"] == ["worker"]
    assert worker["depends_on"] == migrated | {"kafka": {"condition": "service_healthy"}}
    assert migrate["image"] == api["image"] == worker["image"]


def test_a_container_gets_only_settings_that_its_service_has(
    each: Service, containers: Containers
) -> None:
    prefix = each.settings.model_config["env_prefix"]
    known = {f"{prefix}{name}".upper() for name in each.settings.model_fields}

    for role in ("migrate", "api", "worker"):
        assert set(containers[f"{each.short}-{role}"]["environment"]) <= known


def test_the_settings_in_the_containers_are_accepted(
    each: Service, containers: Containers, monkeypatch: pytest.MonkeyPatch
) -> None:
    for role in ("migrate", "api", "worker"):
        for name, value in containers[f"{each.short}-{role}"]["environment"].items():
            monkeypatch.setenv(name, re.sub(r"\$\{\w+:\?\}", "0123456789abcdef", value))

        settings = each.settings()

        assert settings.database_url.endswith(f"@postgres/{each.short}")
        assert settings.port == 8000
    assert settings.kafka == "kafka:9092"


def test_a_service_that_writes_links_knows_its_public_address(
    each: Service, containers: Containers
) -> None:
    name = f"TONGBAN_{each.short.upper()}_PUBLIC_URL"

    for role in ("api", "worker"):
        environment = containers[f"{each.short}-{role}"]["environment"]
        assert (name in environment) == ("public_url" in each.settings.model_fields)


def test_a_service_runs_read_only_without_rights(each: Service, containers: Containers) -> None:
    for role in ("migrate", "api", "worker"):
        container = containers[f"{each.short}-{role}"]

        assert container["read_only"] is True
        assert container["cap_drop"] == ["ALL"]
        assert container["security_opt"] == ["no-new-privileges:true"]
        assert container["tmpfs"] == ["/tmp"]  # noqa: S108 - a private tmpfs
        assert not container.keys() & {"privileged", "cap_add", "user", "volumes"}


def test_only_the_schema_owner_migrates(each: Service, containers: Containers) -> None:
    url = f"TONGBAN_{each.short}_DATABASE_URL".upper()
    roles = {
        role: containers[f"{each.short}-{role}"]["environment"][url].split("//")[1].split(":")[0]
        for role in ("migrate", "api", "worker")
    }

    owner, app = f"{each.short}_owner", f"{each.short}_app"
    assert roles == {"migrate": owner, "api": app, "worker": app}


def test_the_peers_are_the_five_apis(services: dict[str, Service], containers: Containers) -> None:
    for short in services:
        environment = containers[f"{short}-api"]["environment"]
        peers = json.loads(environment[f"TONGBAN_{short.upper()}_PEERS"])

        assert peers == {each: f"http://{each}-api:8000" for each in services}
    assert all(f"{each}-api" in containers for each in services)


def test_one_peer_token_opens_every_outbox(each: Service) -> None:
    """All five share TONGBAN_PEER_TOKEN, so its role must be known to each of them."""
    assert "outbox:read" in policies.access_of(each.package)["service"]


def test_every_api_is_checked_and_published_on_a_port_of_its_own(
    services: dict[str, Service], containers: Containers
) -> None:
    published = []
    for short in services:
        api = containers[f"{short}-api"]
        published += api["ports"]
        assert "/readyz" in api["healthcheck"]["test"][-1]

    assert published == [f"${{TONGBAN_BIND:-127.0.0.1}}:{8001 + n}:8000" for n in range(5)]


def test_kafka_and_postgresql_are_not_published(containers: Containers) -> None:
    for name in ("kafka", "postgres"):
        assert "ports" not in containers[name]
        assert containers[name]["networks"] == ["data"]


def test_every_subscribed_topic_is_made_by_a_worker_of_its_publisher(
    services: dict[str, Service], containers: Containers
) -> None:
    """No topic appears by itself: a worker makes what its service publishes and subscribes to."""
    published = {topic: short for short, each in services.items() for topic in each.topics}
    subscribed = {topic for each in services.values() for topic in subscriptions_of(each)}

    assert containers["kafka"]["environment"]["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"
    assert subscribed <= set(published)
    for topic, short in published.items():
        assert topic.startswith(f"tongban.{short}.")
        assert f"TONGBAN_{short.upper()}_KAFKA" in containers[f"{short}-worker"]["environment"]


def test_the_example_environment_has_exactly_what_the_file_asks_for(root: Path) -> None:
    asked = set(re.findall(r"\$\{(\w+)", (root / "docker-compose.yml").read_text("utf-8")))
    example = (root / ".env.example").read_text("utf-8")

    assert set(re.findall(r"^(\w+)=", example, flags=re.MULTILINE)) == asked


def test_a_new_environment_has_random_secrets_and_no_default_passwords(root: Path) -> None:
    script = root / "deploy/compose/new-env.sh"

    first, second = (
        dict(re.findall(r"^(\w+)=(.*)$", printed, flags=re.MULTILINE))
        for printed in (subprocess.check_output(["sh", script], text=True) for _ in range(2))
    )

    secrets = {name for name in first if name.endswith(("_PASSWORD", "_SECRET"))}
    assert len({first[name] for name in secrets} | {second[name] for name in secrets}) == 32
    assert all(re.fullmatch(r"[0-9a-f]{48}", first[name]) for name in secrets)


def subscriptions_of(service: Service) -> tuple[str, ...]:
    settings = {"database_url": "postgresql+asyncpg:///unused", "secret": "0123456789abcdef"}
    kit = service.kit(service.settings.model_validate(settings))
    return service.inbox(kit).topics
