"""办理时限、次数 are policy data: no figure of a rule stands in the code's own words."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import tongban_hotline_dispatch

ROOT = Path(tongban_hotline_dispatch.__file__).parent
_NUMBER = "[0-9一二两三四五六七八九十百]+"
FIGURE = re.compile(rf"(?<!次){_NUMBER}(?:个?工作日|个?自然日|日内|小时|分钟|个月|轮)")


def said(source: str) -> Iterator[tuple[int, str]]:
    """Every string that is no docstring."""
    tree = ast.parse(source)
    documented = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or id(node) in documented:
            continue
        if isinstance(node.value, str):
            yield node.lineno, node.value


def test_no_figure_of_a_rule_stands_in_the_code() -> None:
    found = [
        f"{file.relative_to(ROOT)}:{line} {words}"
        for part in ("domain", "operations")
        for file in sorted((ROOT / part).glob("*.py"))
        for line, words in said(file.read_text(encoding="utf-8"))
        if FIGURE.search(words)
    ]

    assert found == []


def test_a_figure_would_be_seen_wherever_it_stands() -> None:
    source = 'def f():\n    """三日内答复。"""\n    return f"{x}应在3个工作日内答复"\n'

    assert [line for line, words in said(source) if FIGURE.search(words)] == [3]
