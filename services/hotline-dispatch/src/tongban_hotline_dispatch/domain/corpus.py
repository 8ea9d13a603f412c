"""Texts with their labels, as a city's history holds them: what may be learnt from."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from tongban_common.errors import BadInput
from tongban_hotline_dispatch.domain.classifier import Message, runs
from tongban_hotline_dispatch.domain.importing import BadFile

TITLES = ("title", "标题")
FINGERPRINT = 8  # bytes
CONTENTS = ("content", "内容")


class BadCorpus(BadInput):
    code = "routing.bad_corpus"


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    label: str
    messages: list[Message] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    left_out: list[tuple[int, str]] = field(default_factory=list)  # by line, with the reason

    def __len__(self) -> int:
        return len(self.messages)

    def fingerprints(self) -> frozenset[bytes]:
        """By which a text is known again, whatever its spaces and marks; nothing can be read."""
        return frozenset(_fingerprint(message) for message in self.messages)

    def without_rare(self, least: int) -> "Corpus":
        """Labels with too few texts to be both learnt and tried. Raises BadCorpus."""
        counted = Counter(self.labels)
        kept = [at for at, label in enumerate(self.labels) if counted[label] >= least]
        if len({self.labels[at] for at in kept}) < 2:
            raise BadCorpus(f"至少需要两个各有{least}条以上文本的标签")
        rare = [
            (0, f"标签“{label}”只有{count}条") for label, count in counted.items() if count < least
        ]
        return Corpus(
            label=self.label,
            messages=[self.messages[at] for at in kept],
            labels=[self.labels[at] for at in kept],
            left_out=[*self.left_out, *rare],
        )


def corpus_of(cells: Iterable[Sequence[str]], label: str) -> Corpus:
    """Rows without a label or without any Chinese are left out. Raises BadFile."""
    numbered = enumerate(cells, start=1)
    first = next(numbered, (0, None))[1]
    if first is None:
        raise BadFile("文件是空的")
    headings = [heading.strip() for heading in first]
    title, content = _place(headings, TITLES), _place(headings, CONTENTS)
    labelled = _place(headings, (label,))
    corpus = Corpus(label=label)
    for line, row in numbered:
        _take(corpus, line, row, (title, content, labelled))
    if not corpus.messages:
        raise BadFile("文件中没有可用的行")
    return corpus


def _fingerprint(message: Message) -> bytes:
    text = "".join([*runs(message.title), "/", *runs(message.content)])
    return blake2b(text.encode(), digest_size=FINGERPRINT).digest()


def _place(headings: Sequence[str], names: Sequence[str]) -> int:
    for name in names:
        if name in headings:
            return headings.index(name)
    raise BadFile(f"文件缺少列：{names[0]}")


def _take(corpus: Corpus, line: int, row: Sequence[str], places: tuple[int, int, int]) -> None:
    if not any(cell.strip() for cell in row):
        return
    if len(row) <= max(places):
        corpus.left_out.append((line, "列数不足"))
        return
    title, content, label = (row[place].strip() for place in places)
    if not label:
        corpus.left_out.append((line, "没有标签"))
    elif not runs(title) and not runs(content):
        corpus.left_out.append((line, "标题和内容中没有汉字"))
    else:
        corpus.messages.append(Message(title, content))
        corpus.labels.append(label)
