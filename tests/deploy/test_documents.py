"""The documents say what is there: every path, link, target and setting that they name exists."""

import re
from pathlib import Path

import pytest

from tongban_common.service import Service
from tongban_common.settings import ServiceSettings

ROOT = Path(__file__).parents[2]
DECISIONS = sorted((ROOT / "docs/adr").glob("*.md"))
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/*.md"), *DECISIONS]
HEADINGS = ["Context", "Decision", "Consequences", "Alternatives", "References to code"]

by_name = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: file.name)


def test_the_decisions_are_numbered_without_a_hole() -> None:
    assert [file.name[:4] for file in DECISIONS] == [
        f"{n:04}" for n in range(1, len(DECISIONS) + 1)
    ]


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda file: file.stem)
def test_a_decision_is_one_page_of_five_headings(decision: Path) -> None:
    lines = decision.read_text("utf-8").splitlines()

    assert lines[0].startswith(f"# {decision.name[:4]}: ")
    assert [line[3:] for line in lines if line.startswith("## ")] == HEADINGS
    assert len(lines) <= 60


@by_name
def test_every_path_named_exists(document: Path) -> None:
    text = document.read_text("utf-8")
    linked = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)
    quoted = re.findall(
        r"`((?:libs|services|deploy|docs|tests|requirements|contracts)/[^`\s<*…:]+)`", text
    )

    missing = [path for path in linked if not (document.parent / path).exists()]
    missing += [path for path in quoted if not (ROOT / path).exists()]

    assert missing == []


@by_name
def test_every_make_target_named_exists(document: Path) -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))

    named = set(re.findall(r"(?:`|^)make ([a-z-]+)", document.read_text("utf-8"), re.MULTILINE))

    assert named <= targets


def test_the_settings_that_all_services_have_are_documented() -> None:
    operations = (ROOT / "docs/operations.md").read_text("utf-8")
    section = operations.partition("## Settings")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`[A-Z_`, ]+`) \|", section, re.MULTILINE)

    documented = {name for row in rows for name in re.findall(r"`(\w+)`", row)}

    assert documented == {name.upper() for name in ServiceSettings.model_fields}


def test_a_setting_that_only_one_service_has_is_documented(each: Service) -> None:
    operations = (ROOT / "docs/operations.md").read_text("utf-8")

    own = set(each.settings.model_fields) - set(ServiceSettings.model_fields)

    assert all(f"`{name.upper()}`" in operations for name in own)


def test_a_service_has_the_settings_prefix_that_is_documented(each: Service) -> None:
    assert each.settings.model_config["env_prefix"] == f"TONGBAN_{each.short.upper()}_"


def test_every_test_that_is_called_a_proof_exists() -> None:
    proofs = (ROOT / "docs/hotline-proof.md").read_text("utf-8")
    named = re.findall(r"`([^`\s]+\.py)::(test_\w+)`", proofs)

    missing = [(file, name) for file, name in named if f"def {name}(" not in _source_of(file)]

    assert len(named) > 100
    assert missing == []


def _source_of(file: str) -> str:
    own = ROOT if file.startswith(("libs/", "tests/")) else ROOT / "services/hotline-dispatch/tests"
    return (own / file).read_text("utf-8")
