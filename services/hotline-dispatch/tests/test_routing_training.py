import csv
import gzip
import io
import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tongban_common.clock import utc_now
from tongban_common.settings import BadSettings, ServiceSettings
from tongban_hotline_dispatch.domain.classifier import Message
from tongban_hotline_dispatch.domain.corpus import BadCorpus, Corpus, corpus_of
from tongban_hotline_dispatch.domain.importing import BadFile
from tongban_hotline_dispatch.main import commands_of
from tongban_hotline_dispatch.operations.fitting import Recipe
from tongban_hotline_dispatch.operations.near_duplicates import near_duplicate_groups
from tongban_hotline_dispatch.operations.segmenting import dictionary_segment
from tongban_hotline_dispatch.operations.training import Trained, train
from tongban_hotline_dispatch.store.models import BrokenModel, ModelFolder, read_classifier

Run = Callable[..., tuple[int, str]]
LEXICON = {
    "环境保护": "噪声 油烟 污水 排放 扬尘 垃圾 焚烧 废气 臭味 施工",
    "教育文体": "学校 教师 学生 招生 幼儿园 课程 补课 校车 考试 学费",
    "劳动和社会保障": "工资 社保 养老金 劳动合同 工伤 退休 失业 医保 加班 拖欠",
}
SAID_BY_ALL = "小区 领导 希望 解决 市民 情况 反映 请求 部门 尽快 居民 时间 问题 多次 至今"
FILLER = SAID_BY_ALL.split()


def seeded(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - the same texts in every run


def a_message(label: str, drawn: random.Random) -> Message:
    own = drawn.sample(LEXICON[label].split(), 3)
    said = [*own, *drawn.sample(FILLER, 8)]
    drawn.shuffle(said)
    return Message(f"{own[0]}{drawn.choice(FILLER)}", "，".join(said))


def a_corpus(size: int = 40, seed: int = 1) -> Corpus:
    drawn = seeded(seed)
    labels = [label for label in LEXICON for _ in range(size)]
    return Corpus(
        label="level1", messages=[a_message(each, drawn) for each in labels], labels=labels
    )


def a_file(corpus: Corpus, *more: list[str]) -> bytes:
    written = io.StringIO()
    rows = csv.writer(written)
    rows.writerow(["message_id", "title", "content", "level1"])
    for at, (message, label) in enumerate(zip(corpus.messages, corpus.labels, strict=True)):
        rows.writerow([at, message.title, message.content, label])
    rows.writerows(more)
    return written.getvalue().encode()


@pytest.fixture(scope="module")
def trained() -> Trained:
    return train(a_corpus(), segment=dictionary_segment())


@pytest.fixture
def run() -> Run:
    """No database and no settings: what somebody has who only trains."""

    def none(_: object) -> ServiceSettings:
        raise BadSettings("配置有误")

    cli = commands_of(none)

    def invoke(*words: str) -> tuple[int, str]:
        answer = CliRunner().invoke(cli, list(words), env={"COLUMNS": "200"})
        return answer.exit_code, answer.stdout + answer.stderr

    return invoke


def test_what_was_learnt_sorts_texts_that_it_never_saw(trained: Trained) -> None:
    unseen = a_corpus(seed=2)
    segment = dictionary_segment()

    guessed = [trained.classifier.guess(each, segment)[0] for each in unseen.messages]

    right = [guess.label == label for guess, label in zip(guessed, unseen.labels, strict=True)]
    assert sum(right) / len(right) > 0.9
    assert trained.apart.figures.macro_f1 > 0.9
    assert len(trained.apart.by_fold) == 5
    assert set(guessed[0].words) & set(LEXICON["环境保护"].split())


def test_labels_that_mean_nothing_are_not_learnt_from_the_folds_they_are_held_out_of() -> None:
    """Anything fitted on held-out texts would show here as skill above chance."""
    corpus = a_corpus(60)
    labels = list(corpus.labels)
    seeded(5).shuffle(labels)

    found = train(
        Corpus(label="level1", messages=corpus.messages, labels=labels),
        segment=dictionary_segment(),
    )

    assert 0.2 < found.apart.figures.macro_f1 < 0.45
    assert 0.2 < found.together.figures.macro_f1 < 0.45


def test_near_duplicates_flatter_plain_folds_and_not_the_second_figure() -> None:
    """Twins share a label that means nothing: known again where they stand on both sides."""
    corpus = a_corpus(30)
    labels = list(corpus.labels)
    seeded(6).shuffle(labels)
    twins = [Message(each.title, each.content + "，谢谢") for each in corpus.messages]

    found = train(
        Corpus(label="level1", messages=[*corpus.messages, *twins], labels=[*labels, *labels]),
        segment=dictionary_segment(),
    )

    assert found.near_duplicates == 180
    assert found.apart.figures.macro_f1 > 0.6
    assert found.together.figures.macro_f1 < 0.5


def test_near_duplicates_are_found_whatever_their_marks_and_spaces() -> None:
    text = "开元路与东四路交叉口的路灯已经三天不亮，夜间行走十分危险，请尽快派人修理。"
    messages = [
        Message("路灯不亮", text),
        Message("招生", "本学期小学招生的划片范围为何与去年不同，请教育局答复家长的疑问。"),
        Message("路灯不亮！", text.replace("，", " ").replace("三天", "四天")),
        Message("", ""),
        Message("", "短"),
    ]

    assert near_duplicate_groups(messages) == [0, 1, 0, 3, 4]


def test_the_catalogue_s_names_help_where_history_has_few_texts() -> None:
    few, many = a_corpus(6, seed=3), a_corpus(40, seed=4)
    names = [(label, Message(word, word)) for label, own in LEXICON.items() for word in own.split()]
    segment = dictionary_segment()

    def accuracy(given: list[tuple[str, Message]]) -> float:
        made = train(few, names=given, segment=segment, recipe=Recipe(folds=3)).classifier
        guessed = [made.guess(each, segment)[0].label for each in many.messages]
        return sum(map(str.__eq__, guessed, many.labels)) / len(guessed)

    assert accuracy(names) > accuracy([])


def test_a_catalogue_that_names_few_of_the_labels_is_not_learnt_from() -> None:
    """It would draw texts to those that it names."""
    corpus, segment = a_corpus(10), dictionary_segment()
    names = [("环境保护", Message("噪声扰民", "施工"))]

    with_names = train(corpus, names=names, segment=segment)
    without = train(corpus, segment=segment)

    assert with_names.names == 0
    assert with_names.apart == without.apart


@pytest.mark.parametrize("labels", [2, 3])
def test_a_kept_model_scores_as_the_one_that_was_trained(tmp_path: Path, labels: int) -> None:
    corpus = a_corpus(20)
    size = 20 * labels
    corpus = Corpus(label="level1", messages=corpus.messages[:size], labels=corpus.labels[:size])
    trained = train(corpus, segment=dictionary_segment())
    folder = ModelFolder(tmp_path)

    kept = folder.keep("level1", trained.classifier, a_description(trained), corpus.fingerprints())
    again = folder.read(kept)

    segment = dictionary_segment()
    for message in corpus.messages:
        assert again.scores(message, segment) == pytest.approx(
            trained.classifier.scores(message, segment), abs=1e-4
        )
    right = [
        again.guess(message, segment)[0].label == label
        for message, label in zip(corpus.messages, corpus.labels, strict=True)
    ]
    assert all(right)
    assert folder.fingerprints(kept) == corpus.fingerprints()


def a_description(trained: Trained) -> dict[str, object]:
    return {**trained.facts(), "trained_at": utc_now()}


def test_each_training_is_a_version_and_an_earlier_one_can_be_used_again(
    tmp_path: Path, trained: Trained
) -> None:
    folder = ModelFolder(tmp_path)
    for _ in range(2):
        folder.keep("level1", trained.classifier, a_description(trained), frozenset())

    folder.use("level1", 1)

    current = folder.current("level1")
    assert current is not None
    assert (current.version, current.rows, current.labels["环境保护"]) == (1, 120, 40)
    assert [each.version for each in folder.all()] == [1, 2]
    assert folder.current("level2") is None


def test_a_file_that_is_not_the_one_described_is_not_used(tmp_path: Path, trained: Trained) -> None:
    folder = ModelFolder(tmp_path)
    kept = folder.keep("level1", trained.classifier, a_description(trained), frozenset())
    file = tmp_path / "level1" / "v0001.model.gz"
    file.write_bytes(gzip.compress(b'{"format": "something else"}'))

    with pytest.raises(BrokenModel, match="摘要不符"):
        folder.read(kept)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda told: told.update(format="other/1"),
        lambda told: told.pop("views"),
        lambda told: told["labels"].append("多出来的"),
        lambda told: told["views"][0].update(weights="no base64 at all"),
        lambda told: told["views"][0]["blocks"][0]["terms"].pop(),
    ],
    ids=["别的格式", "没有内容", "标签数不符", "不是数值", "词数不符"],
)
def test_a_damaged_model_is_refused_whole(
    tmp_path: Path, trained: Trained, spoil: Callable[[dict[str, object]], object]
) -> None:
    ModelFolder(tmp_path).keep("level1", trained.classifier, a_description(trained), frozenset())
    packed = (tmp_path / "level1" / "v0001.model.gz").read_bytes()
    told = json.loads(gzip.decompress(packed))
    spoil(told)

    with pytest.raises(BrokenModel):
        read_classifier(gzip.compress(json.dumps(told).encode()), "level1@1")
    with pytest.raises(BrokenModel):
        read_classifier(packed[:-20], "level1@1")


def test_rows_that_cannot_be_learnt_from_are_left_out_and_named() -> None:
    rows = [
        ["title", "content", "level1"],
        ["路灯", "不亮", "城建"],
        ["路灯", "不亮"],
        ["路灯", "不亮", " "],
        ["ABC", "123", "城建"],
        [],
        ["学校", "", "教育"],
    ]

    corpus = corpus_of(rows, "level1")

    assert corpus.labels == ["城建", "教育"]
    assert corpus.left_out == [(3, "列数不足"), (4, "没有标签"), (5, "标题和内容中没有汉字")]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "文件是空的"),
        ([["title", "content"]], "文件缺少列：level1"),
        ([["标题", "level1"]], "文件缺少列：content"),
        ([["标题", "内容", "level1"]], "没有可用的行"),
    ],
    ids=["空文件", "没有标签列", "没有内容列", "只有表头"],
)
def test_a_file_that_holds_no_corpus_is_refused(rows: list[list[str]], said: str) -> None:
    with pytest.raises(BadFile, match=said):
        corpus_of(rows, "level1")


def test_a_label_with_too_few_texts_is_left_out_and_one_label_is_no_choice() -> None:
    corpus = a_corpus(6)
    corpus.messages.append(Message("孤例", "只有一条"))
    corpus.labels.append("民政")

    kept = corpus.without_rare(5)

    assert set(kept.labels) == set(LEXICON)
    assert kept.left_out == [(0, "标签“民政”只有1条")]
    with pytest.raises(BadCorpus):
        corpus.without_rare(100)


def test_a_city_trains_and_scores_from_the_command_line(run: Run, tmp_path: Path) -> None:
    history, unseen = tmp_path / "history.csv.gz", tmp_path / "unseen.csv"
    history.write_bytes(gzip.compress(a_file(a_corpus(), ["9", "没有标签", "内容", ""])))
    unseen.write_bytes(a_file(a_corpus(15, seed=9)))
    models, figures = tmp_path / "models", tmp_path / "out.json"

    code, said = run("train", str(history), "--label", "level1", "--models", str(models))
    scored = run(
        *("evaluate-routing", str(unseen), "--label", "level1"),
        *("--models", str(models), "--json", str(figures)),
    )
    again = run("evaluate-routing", str(history), "--models", str(models))

    assert code == 0, said
    assert "分层5折交叉验证 macro-F1 = " in said
    assert "近似重复的文本不跨折时 macro-F1 = " in said
    assert "第122行 未用：没有标签" in said
    assert scored[0] == 0, scored[1]
    told = json.loads(figures.read_text())
    assert {"n", "macro_f1", "accuracy", "labels"} <= set(told)
    assert told["n"] == 45
    assert set(told["labels"]["教育文体"]) == {"precision", "recall", "f1", "support"}
    assert told["macro_f1"] > 0.9
    assert told["seen_in_training"] == 0
    assert "训练时见过" in again[1]
    assert "*" in run("models", "list", "--models", str(models))[1]


@pytest.mark.parametrize(
    ("content", "label", "said"),
    [
        (b"", "level1", "文件是空的"),
        (b"\x1f\x8b\x08broken", "level1", "压缩文件已损坏"),
        (b"title,content,level1\n\xff\xff\xff,\xfe,\xff\n", "level1", "无法识别文件的编码"),
        (a_file(a_corpus(10)), "level2", "文件缺少列：level2"),
        (a_file(a_corpus(2)), "level1", "至少需要两个"),
        (a_file(a_corpus(10)).replace(b"level1", b"../x"), "../x", "标签列名"),
    ],
    ids=["空文件", "坏压缩", "坏编码", "没有标签列", "太少", "坏列名"],
)
def test_a_file_that_cannot_be_learnt_from_is_one_clear_line(
    run: Run, tmp_path: Path, content: bytes, label: str, said: str
) -> None:
    file = tmp_path / "history.csv"
    file.write_bytes(content)

    code, output = run("train", str(file), "--label", label, "--models", str(tmp_path / "models"))

    assert code == 1
    assert said in output
    assert "Traceback" not in output


def test_scoring_without_a_model_says_what_to_do(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "history.csv"
    file.write_bytes(a_file(a_corpus(10)))

    code, said = run("evaluate-routing", str(file), "--models", str(tmp_path / "none"))

    assert code == 1
    assert "请先训练" in said
