"""deploy/Dockerfile: one recipe, five images, each with one service that is not root."""

import re
import subprocess
import sysconfig
import tomllib
from pathlib import Path

import pytest

FOLDERS = ("intake", "hotline-dispatch", "evaluation", "scoring", "publishing")


@pytest.fixture
def recipe(root: Path) -> str:
    return (root / "deploy/Dockerfile").read_text("utf-8")


def test_hadolint_has_no_complaint(root: Path) -> None:
    hadolint = Path(sysconfig.get_path("scripts")) / "hadolint"

    checked = subprocess.run(
        [hadolint, root / "deploy/Dockerfile"], capture_output=True, text=True, check=False
    )

    assert checked.returncode == 0, checked.stdout


def test_the_process_is_not_root_and_gets_the_signals(recipe: str) -> None:
    last_stage = recipe.rpartition("\nFROM ")[2]

    assert "\nUSER 10001:10001\n" in last_stage
    assert '\nENTRYPOINT ["tongban-service"]\n' in last_stage
    assert '\nCMD ["api"]\n' in last_stage


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_entry_point_is_the_console_script_of_the_service(root: Path, folder: str) -> None:
    project = tomllib.loads((root / "services" / folder / "pyproject.toml").read_text("utf-8"))

    # what the recipe links: tongban-${SERVICE%%-*}
    assert f"tongban-{folder.partition('-')[0]}" in project["project"]["scripts"]


@pytest.mark.parametrize("folder", FOLDERS)
def test_an_image_installs_hashed_pins_and_nothing_of_another_service(
    root: Path, folder: str
) -> None:
    pins = (root / "requirements" / f"{folder}.txt").read_text("utf-8")

    requirements = [line for line in pins.splitlines() if line and not line[0].isspace()]
    assert all(re.match(r"[a-z0-9._-]+(\[[a-z,]+\])?==\S+", line) for line in requirements)
    assert pins.count("--hash=sha256:") >= len(requirements)
    assert not any(line.startswith("tongban") for line in requirements)
    assert "pytest==" not in pins


def test_no_registry_is_named(root: Path, recipe: str) -> None:
    files = [recipe, *(each.read_text("utf-8") for each in (root / "requirements").iterdir())]

    assert not any("://" in text or "--index-url" in text for text in files)


def test_everything_that_is_copied_reaches_the_build(root: Path, recipe: str) -> None:
    let_in = re.findall(r"^!(\S+)", (root / ".dockerignore").read_text("utf-8"), re.MULTILINE)
    copied = re.findall(r"^COPY (?!--from)(\S+)", recipe, re.MULTILINE)

    for source in copied:
        assert any(source.startswith(each.partition("*")[0]) for each in let_in), source
