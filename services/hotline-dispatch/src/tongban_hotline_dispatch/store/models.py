"""Trained classifiers as versioned files in a folder, each with its description beside it, and
with the fingerprints of the texts it learnt from, so that nobody scores it on them unawares.

What is trusted: the folder. Whoever may write to it decides what is proposed, so it belongs to the
operator alone. The SHA-256 in the description shows a file that was damaged or swapped by mistake;
it does not stop somebody who can write both. A file holds numbers and terms in JSON, compressed:
reading one runs no code of it, and nothing is ever unpickled.
"""

import base64
import binascii
import gzip
import hashlib
import os
import re
import sys
import zlib
from array import array
from collections.abc import Mapping, Set
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from tongban_common.errors import BadInput, NotFound
from tongban_hotline_dispatch.domain.classifier import Block, Classifier, Numbers, View
from tongban_hotline_dispatch.domain.corpus import FINGERPRINT

FORMAT = "tongban-routing-model/1"
_LABEL = re.compile(r"[\w-]{1,40}")
_VERSION = re.compile(r"v(\d{4,})\.json")


class NoModel(NotFound):
    code = "routing.no_model"


class BrokenModel(BadInput):
    code = "routing.broken_model"


class BadLabelName(BadInput):
    code = "routing.bad_label_name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What is known of one trained model."""

    label: str
    version: int
    sha256: str
    trained_at: datetime
    rows: int
    labels: Mapping[str, int]  # label → how many texts it learnt from
    figures: Mapping[str, Any]  # as measured when it was trained
    made_with: Mapping[str, str]
    recipe: Mapping[str, Any] = field(default_factory=dict)
    names: int = 0  # of the catalogue, learnt from beside the history

    @property
    def name(self) -> str:
        return f"{self.label}@{self.version}"


class ModelFolder:
    """`<label>/v0001.json` describes `<label>/v0001.model.gz`; `<label>/current` names one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(
        self, label: str, made: Classifier, facts: Mapping[str, Any], learnt: Set[bytes]
    ) -> Description:
        """As the next version, which is the current one from now on. Raises BadLabelName."""
        home = self._home(label)
        home.mkdir(parents=True, exist_ok=True)
        packed = gzip.compress(orjson.dumps(_document(made)), 6, mtime=0)
        described = Description(
            label=label,
            version=max(self._versions(home), default=0) + 1,
            sha256=hashlib.sha256(packed).hexdigest(),
            **facts,
        )
        stem = home / f"v{described.version:04}"
        _write(stem.with_suffix(".model.gz"), packed)
        _write(stem.with_suffix(".learnt"), b"".join(sorted(learnt)))
        _write(
            stem.with_suffix(".json"), orjson.dumps(asdict(described), option=orjson.OPT_INDENT_2)
        )
        self.use(label, described.version)
        return described

    def use(self, label: str, version: int) -> None:
        """Makes a version the current one. Raises NoModel."""
        self.described(label, version)
        _write(self._home(label) / "current", f"{version}\n".encode())

    def current(self, label: str) -> Description | None:
        """Of the version in use, None where nothing was trained. Raises BrokenModel."""
        try:
            version = int((self._home(label) / "current").read_text())
        except FileNotFoundError:
            return None
        except (ValueError, OSError) as fault:
            raise BrokenModel(f"{label}的模型目录无法读取") from fault
        return self.described(label, version)

    def described(self, label: str, version: int) -> Description:
        """Raises NoModel, or BrokenModel for a description that cannot be read."""
        try:
            told = orjson.loads((self._home(label) / f"v{version:04}.json").read_bytes())
            return Description(**{**told, "trained_at": datetime.fromisoformat(told["trained_at"])})
        except FileNotFoundError:
            raise NoModel(f"没有{label}的第{version}版模型") from None
        except (ValueError, TypeError, KeyError, OSError) as fault:
            raise BrokenModel(f"{label}第{version}版模型的说明无法读取") from fault

    def read(self, described: Description) -> Classifier:
        """Raises BrokenModel for a file that is missing or is not the one described."""
        file = self._home(described.label) / f"v{described.version:04}.model.gz"
        try:
            packed = file.read_bytes()
        except OSError as fault:
            raise BrokenModel(f"模型文件无法读取：{described.name}") from fault
        if hashlib.sha256(packed).hexdigest() != described.sha256:
            raise BrokenModel(f"模型文件与登记的摘要不符，未使用：{described.name}")
        return read_classifier(packed, described.name)

    def fingerprints(self, described: Description) -> frozenset[bytes]:
        """Of the texts that it learnt from. Raises BrokenModel."""
        try:
            file = self._home(described.label) / f"v{described.version:04}.learnt"
            told = file.read_bytes()
        except OSError as fault:
            raise BrokenModel(f"模型所学文本的摘要无法读取：{described.name}") from fault
        starts = range(0, len(told), FINGERPRINT)
        return frozenset(told[start : start + FINGERPRINT] for start in starts)

    def labels(self) -> list[str]:
        """What there are models for."""
        if not self.folder.is_dir():
            return []
        return sorted(each.parent.name for each in self.folder.glob("*/current"))

    def all(self) -> list[Description]:
        return [
            self.described(label, version)
            for label in self.labels()
            for version in sorted(self._versions(self._home(label)))
        ]

    def _versions(self, home: Path) -> list[int]:
        found = (_VERSION.fullmatch(each.name) for each in home.glob("v*.json"))
        return [int(each.group(1)) for each in found if each]

    def _home(self, label: str) -> Path:
        if not _LABEL.fullmatch(label):
            raise BadLabelName("标签列名应为1至40个字母、数字、汉字、下划线或连字符")
        return self.folder / label


def read_classifier(packed: bytes, name: str) -> Classifier:
    """Raises BrokenModel for anything that is no model of ours."""
    try:
        document = orjson.loads(gzip.decompress(packed))
        if document["format"] != FORMAT:
            raise BrokenModel(f"模型文件的格式不是{FORMAT}：{name}")
        made = Classifier(
            labels=tuple(document["labels"]),
            views=tuple(_view(each) for each in document["views"]),
            sharpness=float(document["sharpness"]),
            least_spread=float(document["least_spread"]),
        )
    except (KeyError, TypeError, ValueError, EOFError, OSError, zlib.error) as fault:
        raise BrokenModel(f"模型文件不完整：{name}") from fault
    if not all(_fits(view, len(made.labels)) for view in made.views):
        raise BrokenModel(f"模型文件内的数量不相符：{name}")
    return made


def _document(made: Classifier) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "labels": made.labels,
        "sharpness": made.sharpness,
        "least_spread": made.least_spread,
        "views": [
            {
                "name": view.name,
                "share": view.share,
                "usual_spread": view.usual_spread,
                "emphasis": _packed(view.emphasis),
                "weights": _packed(view.weights),
                "bias": _packed(view.bias),
                "blocks": [
                    {
                        "part": block.part,
                        "weight": block.weight,
                        "terms": list(block.rows),
                        "rarity": _packed(block.rarity),
                        "first_row": block.first_row,
                    }
                    for block in view.blocks
                ],
            }
            for view in made.views
        ],
    }


def _view(told: Mapping[str, Any]) -> View:
    return View(
        name=told["name"],
        share=float(told["share"]),
        usual_spread=float(told["usual_spread"]),
        emphasis=_unpacked(told["emphasis"]),
        weights=_unpacked(told["weights"]),
        bias=_unpacked(told["bias"]),
        blocks=tuple(
            Block(
                part=each["part"],
                weight=float(each["weight"]),
                rows={term: each["first_row"] + at for at, term in enumerate(each["terms"])},
                rarity=_unpacked(each["rarity"]),
                first_row=int(each["first_row"]),
            )
            for each in told["blocks"]
        ),
    )


def _fits(view: View, labels: int) -> bool:
    rows = sum(len(block.rows) for block in view.blocks)
    sizes = (len(view.emphasis), len(view.weights), len(view.bias))
    rarities = all(len(block.rarity) == len(block.rows) for block in view.blocks)
    return rarities and sizes == (rows, rows * labels, labels)


def _packed(numbers: Numbers) -> str:
    little = array("f", numbers)
    if sys.byteorder == "big":
        little.byteswap()
    return base64.b64encode(little.tobytes()).decode()


def _unpacked(told: str) -> Numbers:
    try:
        little = array("f", base64.b64decode(told, validate=True))
    except binascii.Error as fault:
        raise ValueError("not base64") from fault
    if sys.byteorder == "big":
        little.byteswap()
    return little


def _write(file: Path, content: bytes) -> None:
    """Whole or not at all, also where two train at once."""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    draft.write_bytes(content)
    draft.replace(file)
