"""Reading cells as code, and ordering them."""

from __future__ import annotations

import ast
import contextlib
import dis
import pickle
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowbook.sources import CellNames, CellSyntaxError, analyse, dependencies
from tests.sources_table import TABLE, Snippet

SETS = ("reads", "writes", "maybe_writes", "mutates", "may_mutate", "deletes", "imports", "effects")


def test_the_table_is_large_enough() -> None:
    assert len(TABLE) >= 120
    assert len({snippet.code for snippet in TABLE}) == len(TABLE)


@pytest.mark.parametrize("snippet", TABLE, ids=lambda snippet: snippet.rule)
def test_a_snippet_follows_its_rule(snippet: Snippet) -> None:
    names = analyse(snippet.code)
    found = {name: getattr(names, name) for name in SETS}
    assert found == {name: frozenset(getattr(snippet, name).split()) for name in SETS}
    if snippet.opaque:
        assert snippet.opaque in (names.opaque or "")
    else:
        assert names.opaque is None


def test_a_function_is_kept_with_what_its_body_does() -> None:
    body = analyse("def f(a, *rest, b=1, **more):\n  global n\n  n = k\n  a.sort()\n  return z.q").deferred["f"]
    assert body.reads == {"k", "z"}
    assert body.writes == {"n"}
    assert body.changes == {"a"}
    assert body.parameters == ("a", "*rest", "b", "**more")


def test_a_class_is_kept_with_what_its_methods_do() -> None:
    body = analyse("class A(B):\n  def __init__(self, x): x.append(k)\n  def go(self): return z").deferred["A"]
    assert body.reads == {"B", "k", "z"}
    assert body.parameters == ("x",)
    assert body.changes == {"x"}
    assert body.methods["go"].reads == {"z"}


def test_a_lambda_is_kept_by_its_name() -> None:
    assert analyse("area = lambda r: pi * r**2").deferred["area"].reads == {"pi"}


def test_functions_of_a_branch_count_both() -> None:
    body = analyse("if c:\n  def f(): return a\nelse:\n  def f(): return b").deferred["f"]
    assert body.reads == {"a", "b"}


def test_an_exec_in_a_function_makes_the_function_opaque() -> None:
    assert "exec" in (analyse("def f(t): exec(t)").deferred["f"].opaque or "")


@pytest.mark.parametrize(
    ("code", "shared"),
    [
        ("import a\nfrom b import c", True),
        ("def f(): pass\nclass A: pass", True),
        ("x = 3\ny = [1, {'a': 2}]\nz: int = -1", True),
        ("limit = base * 2", True),  # if base comes from a shared cell: see shared_cells
        ("x = f()", False),
        ("x = 1\nprint(x)", False),
        ("import a\na.go()", False),
        ("import a\n%matplotlib inline", False),
        ("x += 1", False),
        ("'text'", False),
    ],
)
def test_imports_definitions_and_constants_can_be_shared(code: str, shared: bool) -> None:
    assert analyse(code).shareable is shared


# ---------------------------------------------------------------- what is not Python


@pytest.mark.parametrize(
    ("code", "line", "text"),
    [
        ("x = = 1", 1, "x = = 1"),
        ("x = 1\ny = (", 2, "y = ("),
        ("\n\nfor", 3, "for"),
        ("a\nreturn 3", 2, "return 3"),
        ("yield 3", 1, "yield 3"),
        ("if a:\n  break", 2, "break"),
        ("continue", 1, "continue"),
        ("%%time\nx = 1\ny = = 2", 3, "y = = 2"),
        ("\n%%time\n\nx = 1\nreturn", 5, "return"),
        ("x = 1\n%time y = = 1", 2, "%time y = = 1"),
        ("a\0b", 1, "a\0b"),
        ("x = '\ud800'", 1, "x = '\ud800'"),
        ("print 'a'", 1, "print 'a'"),
    ],
)
def test_an_error_names_line_and_text(code: str, line: int, text: str) -> None:
    with pytest.raises(CellSyntaxError) as caught:
        analyse(code)
    assert caught.value.lineno == line
    assert caught.value.text is not None
    assert text in caught.value.text
    assert f"line {line} of the cell" in str(caught.value)


def test_deep_nesting_is_refused_or_opaque_but_never_a_crash() -> None:
    for code in ("(" * 500 + ")" * 500, "-" * 9000 + "1", "a" + ".b" * 9000, "+".join(["x"] * 9000)):
        with contextlib.suppress(CellSyntaxError):
            assert analyse(code) is not None


def test_a_warning_about_a_text_is_not_raised() -> None:
    assert analyse(r"x = '\d'").writes == {"x"}


def test_nothing_is_ever_evaluated() -> None:
    assert analyse("raise SystemExit(print('ran'))\n").opaque is None
    assert analyse("%time raise SystemExit").opaque is None


def test_plain_cells_never_load_ipython() -> None:
    code = (
        "import sys; from flowbook.sources import analyse; analyse('x = y'); loaded = 'IPython' in sys.modules; "
        "analyse('%time x = y'); print(loaded, 'IPython' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


def test_without_ipython_a_magic_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    from flowbook.sources import magics

    monkeypatch.setitem(sys.modules, "IPython.core.inputtransformer2", None)
    magics._manager.cache_clear()
    with pytest.raises(CellSyntaxError, match="pip install ipython"):
        analyse("%time x = 1")
    magics._manager.cache_clear()


# ---------------------------------------------------------------- laws

# As a list of texts it could not be read.
PIECES = st.sampled_from(
    "x y_1 = += := ( ) [ ] { } : , . ; @ * ** -> % %% ! ? \n \n\n \t 'a' \"\"\" f'{x}' # \\ 1 1e9 if else for in "  # noqa: SIM905
    "while try except as with def class lambda return yield await async match case del global import from not and "
    "%time %%capture !ls $a {b} inplace=True .append( _ Out[1] \x0c \r \u2028 é \N{MATHEMATICAL ITALIC SMALL X}".split(
        " "
    )
)


def check(code: str) -> None:
    try:
        names = analyse(code)
    except CellSyntaxError as error:
        line = error.lineno or 0
    else:
        check_names(names)
        line = 1
    assert 1 <= line <= code.count("\n") + code.count("\r") + 1


def check_names(names: CellNames) -> None:
    assert isinstance(names, CellNames)
    assert not names.writes & names.maybe_writes
    assert not names.writes & names.deletes
    assert names.mutates <= names.reads
    assert names.may_mutate <= names.reads
    assert names.imports <= names.writes | names.maybe_writes
    assert names.observes <= names.effects
    assert not names.mutates & names.may_mutate
    hash(names)
    assert pickle.loads(pickle.dumps(names)) == names
    dependencies([names, names])


@given(st.text(max_size=80))
def test_any_text_gives_names_or_a_syntax_error(code: str) -> None:
    check(code)


@settings(max_examples=400, deadline=None)
@given(st.lists(PIECES, max_size=14).map(" ".join))
def test_any_pieces_of_code_do(code: str) -> None:
    check(code)


@settings(max_examples=600, deadline=None)
@given(st.sampled_from(TABLE), st.sampled_from(TABLE), st.integers(0, 80), st.integers(0, 8), PIECES)
def test_mutated_snippets_do(one: Snippet, two: Snippet, at: int, cut: int, piece: str) -> None:
    check(one.code[:at] + piece + one.code[at + cut :])
    check(one.code[:at] + two.code[cut:])
    check(f"def wrap(x):\n  {one.code.replace(chr(10), chr(10) + '  ')}\nwrap(y)")
    check(f"class Wrap:\n  {one.code.replace(chr(10), chr(10) + '  ')}")
    check(f"for x in y:\n  {one.code.replace(chr(10), chr(10) + '  ')}\n  if x: break")


@pytest.mark.parametrize("snippet", [one for one in TABLE if one.code], ids=lambda snippet: snippet.rule)
def test_code_objects_agree_about_the_names(snippet: Snippet) -> None:
    """Python's own compiler tells which global names a cell stores; `analyse` must know each of them."""
    try:
        compiled = compile(snippet.code, "cell", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    except SyntaxError:
        pytest.skip("a magic")
    names = analyse(snippet.code)
    stored = {one.argval for one in dis.get_instructions(compiled) if one.opname in {"STORE_NAME", "STORE_GLOBAL"}}
    known = names.writes | names.maybe_writes | names.deletes | names.fleeting
    dead = {"x"} if snippet.code.startswith("raise") else set()
    inner = {"y"} if sys.version_info >= (3, 12) and snippet.rule.startswith("comprehension") else set()
    assert stored - known - {"__annotations__", "__conditional_annotations__"} <= dead | inner


def test_code_is_read_though_another_thread_reads_some_at_the_same_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    real, asked = ast.parse, []

    def hampered(*args: Any, **kwargs: Any) -> Any:
        asked.append(args)
        if len(asked) < 3:
            raise SystemError("AST constructor recursion depth mismatch (before=69, after=44)")
        return real(*args, **kwargs)

    monkeypatch.setattr(ast, "parse", hampered)
    assert analyse("x = some_name_of_its_own").writes == {"x"}
    assert len(asked) == 3
