"""Reading the core: its public classes, what they hold and what they do."""

from __future__ import annotations

import ast
import enum
from dataclasses import dataclass, field
from pathlib import Path

PREFIX = "Async"
SELF = "Self"


class RefusedError(Exception):
    """There is something in the core that has no rule."""

    def __init__(self, path: Path, line: int, why: str) -> None:
        super().__init__(f"{path}:{line}: {why}")


class Kind(enum.Enum):
    """What becomes of a method."""

    CALL = "an async method: called through the portal"
    WRAP = "a plain method that gives another object of the core: the object is wrapped"
    PROPERTY = "a property: passed on"
    REPR = "__repr__: copied"
    CLOSE = "close() of the client: closes the portal, which closes the core"


class Form(enum.Enum):
    """What becomes of a class."""

    RESOURCE = "wraps an object of the core"
    ITERATOR = "wraps an asynchronous iterator"
    CONTEXT = "wraps an asynchronous context manager"
    CLIENT = "makes the core and the portal"


@dataclass
class Method:
    """A public method of the core."""

    name: str
    line: int
    kind: Kind
    head: str
    docstring: str
    arguments: list[str]
    returns: str
    body: str
    names: set[str]


@dataclass
class Class:
    """A public class of the core."""

    name: str
    line: int
    form: Form
    docstring: str
    bases: list[str]
    methods: list[Method] = field(default_factory=list)
    children: dict[str, str] = field(default_factory=dict)
    declared: list[str] = field(default_factory=list)
    entered: str = ""
    constructor: Method | None = None
    hidden: list[str] = field(default_factory=list)
    names: set[str] = field(default_factory=set)


@dataclass
class Module:
    """A module of the core. ``imports`` says for each name where it comes from; ``""`` is the name itself."""

    path: Path
    docstring: str
    imports: dict[str, str]
    classes: list[Class]

    @property
    def name(self) -> str:
        """The module's name in its package."""
        return self.path.stem


def read_core(folder: Path) -> list[Module]:
    """All modules of the core that have a blocking form. Those with a private name hold the steps of its jobs.

    Raises:
        RefusedError: There is something in it that has no rule.
    """
    paths = sorted(path for path in folder.glob("*.py") if not path.name.startswith("_"))
    modules = [_Reader(path).read() for path in paths]
    known = {c.name for module in modules for c in module.classes}
    for module in modules:
        for class_ in module.classes:
            for name in class_.declared:
                if name not in class_.children:
                    raise RefusedError(module.path, class_.line, f"no instance makes the attribute {name}")
            for method in class_.methods:
                gives_itself = method.returns == SELF and class_.form is Form.CLIENT
                if method.kind is Kind.WRAP and method.returns not in known and not gives_itself:
                    raise RefusedError(module.path, method.line, f"{method.returns} is no class of the core")
            if class_.children and known.intersection(map(plain_name, class_.bases)):
                raise RefusedError(
                    module.path, class_.line, "a class with a base in the core has no attributes of its own"
                )
    return modules


class _Reader:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._text = path.read_text(encoding="utf-8")
        self._lines = self._text.splitlines()

    def read(self) -> Module:
        tree = ast.parse(self._text)
        imports: dict[str, str] = {}
        classes: list[Class] = []
        for node in tree.body:
            if isinstance(node, ast.Import):
                imports |= {alias.asname or alias.name: "" for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                source = "." * node.level + (node.module or "")
                imports |= {alias.asname or alias.name: source for alias in node.names}
            elif isinstance(node, ast.ClassDef):
                if not node.name.startswith("_"):
                    classes.append(self._class(node))
            elif not (isinstance(node, (ast.Assign, ast.AnnAssign)) or _is_text(node)):
                raise self._refusal(node, "a module of the core holds imports, constants and classes")
        return Module(self._path, self._docstring(tree), imports, classes)

    def _class(self, node: ast.ClassDef) -> Class:
        if not node.name.startswith(PREFIX):
            raise self._refusal(node, f"a public class of the core has a name that begins with {PREFIX}")
        if node.decorator_list or node.keywords:
            raise self._refusal(node, "a public class of the core has no decorator and no keywords")
        defined = {item.name for item in node.body if isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef))}
        form = _form(defined)
        class_ = Class(
            node.name,
            node.lineno,
            form,
            self._docstring(node),
            [ast.unparse(base) for base in node.bases],
            names=_names(*node.bases),
        )
        for item in node.body[1:]:
            if isinstance(item, ast.AnnAssign):
                class_.declared.append(self._declared(item))
                class_.names |= _names(item.value)
                continue
            if not isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef)):
                raise self._refusal(item, "a public class of the core holds a docstring, children and methods")
            self._add(item, class_)
        return class_

    def _declared(self, node: ast.AnnAssign) -> str:
        """The name of a child that a class tells of."""
        kind = ast.unparse(node.annotation)
        if not kind.startswith(PREFIX) or node.value is None or ast.unparse(node.value) != f"child({kind})":
            raise self._refusal(node, "an attribute of a class is a child: `name: AsyncThing = child(AsyncThing)`")
        return ast.unparse(node.target)

    def _add(self, node: ast.FunctionDef | ast.AsyncFunctionDef, class_: Class) -> None:
        lifecycle = {
            Form.ITERATOR: {"__aiter__", "__anext__"},
            Form.CONTEXT: {"__aenter__", "__aexit__"},
            Form.CLIENT: {"__aenter__", "__aexit__", "close"},
            Form.RESOURCE: set[str](),
        }[class_.form]
        if node.name in ("__init__", "_bind"):
            self._read_children(node, class_)
            if node.name == "__init__" and class_.form is Form.CLIENT:
                class_.constructor = self._method(node, Kind.CALL)
                class_.hidden = [ast.unparse(line) for line in node.body if _only_hides(line)]
        elif node.name in lifecycle:
            if node.name in ("__aenter__", "__aiter__") and node.returns is not None:
                class_.entered = ast.unparse(node.returns)
            if node.name == "close":
                class_.methods.append(self._method(node, Kind.CLOSE))
        elif node.name == "__repr__":
            class_.methods.append(self._method(node, Kind.REPR))
        elif node.name.startswith("__"):
            raise self._refusal(node, f"there is no rule for {node.name} in such a class")
        elif not node.name.startswith("_"):
            class_.methods.append(self._method(node, self._kind(node)))

    def _kind(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Kind:
        decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
        returns = ast.unparse(node.returns) if node.returns else ""
        gives_core = PREFIX in returns or returns == SELF
        if isinstance(node, ast.AsyncFunctionDef):
            if decorators or gives_core:
                raise self._refusal(node, "an async method has no decorator and gives no object of the core")
            if any(isinstance(part, (ast.Yield, ast.YieldFrom)) for part in ast.walk(node)):
                raise self._refusal(node, "an async generator has no blocking form: give a class with __anext__")
            return Kind.CALL
        if decorators == ["property"] and not gives_core:
            return Kind.PROPERTY
        if decorators or not gives_core:
            raise self._refusal(node, "a plain method is a property, or gives an object of the core")
        return Kind.WRAP

    def _method(self, node: ast.FunctionDef | ast.AsyncFunctionDef, kind: Kind) -> Method:
        arguments = node.args
        if arguments.posonlyargs or arguments.vararg or arguments.kwarg:
            raise self._refusal(node, "a method has no positional-only argument, no *args and no **kwargs")
        if any(argument.annotation is None for argument in [*arguments.args[1:], *arguments.kwonlyargs]):
            raise self._refusal(node, "a method has a type for each argument")
        head = self._head(node)
        is_documented = not node.name.startswith("__")
        passed = [_passed(a) for a in arguments.args[1:]] + [f"{a.arg}={_passed(a)}" for a in arguments.kwonlyargs]
        annotations = [a.annotation for a in [*arguments.args, *arguments.kwonlyargs]]
        defaults = [*arguments.defaults, *arguments.kw_defaults]
        returns = node.returns.value if isinstance(node.returns, ast.Subscript) else node.returns
        return Method(
            node.name,
            node.lineno,
            kind,
            head,
            self._docstring(node) if is_documented else "",
            passed,
            "" if returns is None else ast.unparse(returns),
            "\n".join(ast.unparse(line) for line in node.body),
            _names(*annotations, *defaults, node.returns),
        )

    def _head(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
        """The text from ``def`` to the colon."""
        if node.returns is None or node.returns.end_lineno is None:
            raise self._refusal(node, "a method has a type for what it gives")
        lines = self._lines[node.lineno - 1 : node.returns.end_lineno]
        lines[-1] = lines[-1].encode()[: node.returns.end_col_offset].decode()
        return "\n".join(lines).strip().removeprefix("async ") + ":"

    def _read_children(self, node: ast.FunctionDef | ast.AsyncFunctionDef, class_: Class) -> None:
        for part in ast.walk(node):
            targets = (
                part.targets
                if isinstance(part, ast.Assign)
                else [part.target]
                if isinstance(part, (ast.AnnAssign, ast.AugAssign))
                else []
            )
            for target in targets:
                if isinstance(target, (ast.Tuple, ast.List)):
                    raise self._refusal(part, "attributes are assigned one by one")
                if not isinstance(target, ast.Attribute) or target.attr.startswith("_"):
                    continue
                value = getattr(part, "value", None)
                if not (
                    isinstance(value, ast.Call)
                    and isinstance(value.func, ast.Name)
                    and value.func.id.startswith(PREFIX)
                ):
                    raise self._refusal(part, f"the public attribute {target.attr} is made as an object of the core")
                class_.children[target.attr] = value.func.id

    def _docstring(self, node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> str:
        if not node.body or not _is_text(node.body[0]):
            raise self._refusal(node, "there is no docstring")
        # As ``ast.get_source_segment`` does, which divides the whole file into lines each time. It counts in bytes.
        text = node.body[0]
        lines = [line.encode() for line in self._lines[text.lineno - 1 : text.end_lineno]]
        lines[-1] = lines[-1][: text.end_col_offset]
        lines[0] = lines[0][text.col_offset :]
        return b"\n".join(lines).decode()

    def _refusal(self, node: ast.AST, why: str) -> RefusedError:
        return RefusedError(self._path, getattr(node, "lineno", 1), why)


def _form(defined: set[str]) -> Form:
    if "__anext__" in defined:
        return Form.ITERATOR
    if "__aenter__" in defined:
        return Form.CLIENT if "close" in defined else Form.CONTEXT
    return Form.RESOURCE


def plain_name(base: str) -> str:
    """The name of a base, without its type arguments."""
    return base.partition("[")[0]


def _passed(argument: ast.arg) -> str:
    """What the facade passes for an argument: a user's function may not run in the loop's thread."""
    is_function = "Callable" in _names(argument.annotation)
    return f'self._portal.callback("{argument.arg}", {argument.arg})' if is_function else argument.arg


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _only_hides(line: ast.stmt) -> bool:
    return isinstance(line, ast.Assign) and ast.unparse(line.value).startswith("SecretText.hide(")


def _names(*nodes: ast.AST | None) -> set[str]:
    return {part.id for node in nodes if node for part in ast.walk(node) if isinstance(part, ast.Name)}
