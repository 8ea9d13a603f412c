"""`train`, `evaluate-routing` and `models`: the classifiers that a city trains on its own history.

None of them needs a database. `train` asks one, where it is configured, for the matters in force.
"""

import gzip
import zlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, TypeAlias

import orjson
import typer
from rich.progress import Progress
from rich.table import Table

from tongban_common.clock import utc_now
from tongban_common.service import Kit
from tongban_common.settings import BadSettings
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.commands import Bench, err, out, refusing, say, stop
from tongban_hotline_dispatch.domain.classifier import Classifier, Message
from tongban_hotline_dispatch.domain.corpus import Corpus, corpus_of
from tongban_hotline_dispatch.domain.figures import Figures, figures_of
from tongban_hotline_dispatch.domain.importing import BadFile, csv_cells
from tongban_hotline_dispatch.domain.matters import KnownCodes, Matter, catalogue_of, names_of
from tongban_hotline_dispatch.operations.matters import packaged_catalogue
from tongban_hotline_dispatch.operations.segmenting import dictionary_segment
from tongban_hotline_dispatch.settings import DEFAULT_MODELS
from tongban_hotline_dispatch.store.matters import all_matters, matter_version_at
from tongban_hotline_dispatch.store.models import Description, ModelFolder, NoModel

File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV or CSV.gz")]
Models = Annotated[
    Path, typer.Option(envvar="TONGBAN_HOTLINE_MODELS", help="the folder of the trained models")
]
Label = Annotated[str, typer.Option(help="the column that holds what is to be learnt")]
Names: TypeAlias = list[tuple[str, Message]]

_TOLD_LEFT_OUT = 20


def add_to(cli: typer.Typer, bench: Bench) -> None:
    _add_train(cli, bench)
    _add_evaluate(cli)
    cli.add_typer(_models(), name="models")


def _add_train(cli: typer.Typer, bench: Bench) -> None:
    @cli.command("train")
    def train(
        file: File,
        label: Label = "level1",
        models: Models = DEFAULT_MODELS,
        catalogue: Annotated[
            Path | None,
            typer.Option(exists=True, dir_okay=False, help="matters; those in force if absent"),
        ] = None,
        folds: Annotated[int, typer.Option(min=2, max=20)] = 5,
        seed: Annotated[int, typer.Option(min=0, help="how the folds are drawn")] = 0,
    ) -> None:
        """Learn to sort messages from the city's own history; cross-validated, kept as a model."""
        with refusing():
            corpus = _corpus(file, label).without_rare(folds)
            names, whose = _names(bench, catalogue, label)
            say(f"{len(corpus)}条文本；{whose}中有{len(names)}条事项名称")
            described = _train(ModelFolder(models), corpus, names, (folds, seed))
        _tell_left_out(corpus)
        say(f"模型 {described.name} 存于 {models / label}，SHA-256 {described.sha256}")


def _train(
    folder: ModelFolder, corpus: Corpus, names: Names, drawing: tuple[int, int]
) -> Description:
    from tongban_hotline_dispatch.operations.fitting import Recipe
    from tongban_hotline_dispatch.operations.training import train

    folds, seed = drawing
    with Progress(console=err) as bar:
        task = bar.add_task("训练", total=None)
        trained = train(
            corpus,
            names=names,
            segment=dictionary_segment(),
            recipe=Recipe(folds=folds, seed=seed),
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    facts = {**trained.facts(), "trained_at": utc_now()}
    described = folder.keep(corpus.label, trained.classifier, facts, corpus.fingerprints())
    _tell_names(given=len(names), used=trained.names)
    _tell_figures(trained.apart.figures)
    by_fold = "、".join(f"{each:.4f}" for each in trained.apart.by_fold)
    say(f"分层{folds}折交叉验证 macro-F1 = {trained.apart.figures.macro_f1:.4f}（各折 {by_fold}）")
    say(
        f"近似重复的文本不跨折时 macro-F1 = {trained.together.figures.macro_f1:.4f}"
        f"（有{trained.near_duplicates}条与另一条近似）"
    )
    say(f"可信度与实际正确率的平均差距（折外）= {trained.calibration_error:.4f}")
    return described


def _tell_names(*, given: int, used: int) -> None:
    if used:
        say(f"与历史标签相符的{used}条事项名称一并用于训练")
    elif given:
        say("事项名称未用于训练：历史中的标签多数不在事项目录中（目录可用 --catalogue 指定）")


def _add_evaluate(cli: typer.Typer) -> None:
    @cli.command("evaluate-routing")
    def evaluate(
        file: File,
        label: Label = "level1",
        models: Models = DEFAULT_MODELS,
        version: Annotated[int | None, typer.Option(min=1, help="default: the current")] = None,
        json: Annotated[Path | None, typer.Option(help="write the figures here, too")] = None,
    ) -> None:
        """Score a trained model on a file that it never saw."""
        folder = ModelFolder(models)
        with refusing():
            described = _described(folder, label, version)
            corpus = _corpus(file, label)
            figures = figures_of(corpus.labels, _guessed(folder.read(described), corpus))
            seen = len(folder.fingerprints(described) & corpus.fingerprints())
        _tell_left_out(corpus)
        _tell_figures(figures)
        say(
            f"{described.name}：n = {figures.n}，macro-F1 = {figures.macro_f1:.4f}，"
            f"准确率 = {figures.accuracy:.4f}"
        )
        if seen:
            say(f"注意：其中{seen}种文本训练时见过，结果偏高")
        if json is not None:
            told = {"model": described.name, "sha256": described.sha256, "seen_in_training": seen}
            _write(json, {**asdict(figures), **told, "left_out": len(corpus.left_out)})


def _guessed(classifier: Classifier, corpus: Corpus) -> list[str]:
    """A text that the model knows nothing of stays without a label, which is wrong."""
    segment, guessed = dictionary_segment(), []
    with Progress(console=err) as bar:
        for message in bar.track(corpus.messages, description="评估"):
            best = classifier.guess(message, segment, most=1)
            guessed.append(best[0].label if best else "")
    return guessed


def _models() -> typer.Typer:
    cli = typer.Typer(help="Trained classifiers: versioned files.", no_args_is_help=True)

    @cli.command("list")
    def list_(models: Models = DEFAULT_MODELS) -> None:
        """Every version, and which is in use."""
        folder = ModelFolder(models)
        table = Table("", "model", "rows", "macro_f1", "trained_at", "sha256")
        with refusing():
            for each in folder.all():
                current = folder.current(each.label)
                table.add_row(
                    "*" if current and current.version == each.version else "",
                    each.name,
                    str(each.rows),
                    f"{each.figures['macro_f1']:.4f}",
                    f"{each.trained_at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}",
                    each.sha256[:16],
                )
        out.print(table)

    @cli.command("use")
    def use(label: str, version: int, models: Models = DEFAULT_MODELS) -> None:
        """Go back to an earlier version, or forward again."""
        with refusing():
            ModelFolder(models).use(label, version)
        say(f"现用 {label}@{version}")

    return cli


def _described(folder: ModelFolder, label: str, version: int | None) -> Description:
    if version is not None:
        return folder.described(label, version)
    current = folder.current(label)
    if current is None:
        raise NoModel(f"{folder.folder}中没有{label}的模型，请先训练：tongban hotline train")
    return current


def _corpus(file: Path, label: str) -> Corpus:
    """Raises BadFile."""
    try:
        raw = file.read_bytes()
        content = gzip.decompress(raw) if raw.startswith(b"\x1f\x8b") else raw
    except (OSError, EOFError, zlib.error) as fault:
        raise BadFile("文件无法读取，或者压缩文件已损坏") from fault
    return corpus_of(csv_cells(content), label)


def _names(bench: Bench, catalogue: Path | None, label: str) -> tuple[Names, str]:
    """What the city's matters are called, by label; and whose catalogue that is."""
    matters, whose = _matters(bench, catalogue)
    found = [(named, Message(title, text)) for named, title, text in names_of(matters, label)]
    return found, whose


def _matters(bench: Bench, catalogue: Path | None) -> tuple[Sequence[Matter], str]:
    if catalogue is not None:
        return catalogue_of(csv_cells(catalogue.read_bytes()), KnownCodes()), catalogue.name
    in_force = _in_force(bench)
    if in_force:
        return in_force, "库中现行的事项目录"
    return catalogue_of(csv_cells(packaged_catalogue()), KnownCodes()), "随附的事项目录"


def _in_force(bench: Bench) -> Sequence[Matter]:
    """None are where no database is configured."""

    async def go(kit: Kit) -> Sequence[Matter]:
        async with kit.db.reading() as reads:
            today = utc_now().astimezone(SHANGHAI).date()
            version = await matter_version_at(reads, today)
            return [] if version is None else await all_matters(reads, version)

    try:
        bench.settings_of(bench.service)
    except BadSettings:
        return []
    try:
        return bench.run(go)
    except OSError:
        stop("数据库连不上：请检查配置，或者用 --catalogue 指定事项目录")


def _tell_left_out(corpus: Corpus) -> None:
    for line, reason in corpus.left_out[:_TOLD_LEFT_OUT]:
        say(f"第{line}行 未用：{reason}" if line else f"未用：{reason}")
    if len(corpus.left_out) > _TOLD_LEFT_OUT:
        say(f"……共{len(corpus.left_out)}处未用")


def _tell_figures(figures: Figures) -> None:
    table = Table("标签", "精确率", "召回率", "F1", "条数")
    for label, each in figures.labels.items():
        shares = (f"{share:.4f}" for share in (each.precision, each.recall, each.f1))
        table.add_row(label or "（无）", *shares, str(each.support))
    out.print(table)


def _write(file: Path, told: object) -> None:
    try:
        file.write_bytes(orjson.dumps(told, option=orjson.OPT_INDENT_2))
    except OSError as fault:
        stop(f"{file}：无法写入（{fault.strerror}）")
