"""Small mistakes to make in a source: each is a mutant, known by its number in the file.

Not touched: docstrings, annotations, what only type checkers see, asserts (they are for those), decorators, texts in
messages, and the lists of names `__all__` and `__slots__`.
"""

import ast

SWAPS = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult, ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr, ast.LShift: ast.RShift, ast.RShift: ast.LShift,
    ast.BitXor: ast.BitAnd, ast.Pow: ast.Mult, ast.Continue: ast.Break, ast.Break: ast.Continue,
}  # fmt: skip
UNTOUCHED = {"annotation", "returns", "decorator_list", "type_comment", "ctx", "names"}
NAMES = {"__all__", "__slots__", "TYPE_CHECKING"}
EVEN = {"max", "min"}  # the order of their arguments is all the same
SPOKEN = (ast.Compare, ast.Subscript, ast.Dict)  # where a text is a value, and not words for people


def sites(node, put=None, parent=None, line=0):
    """Yield (line, operator, change) for each mutant of a tree; calling `change` makes that one."""
    if _is_skipped(node, parent):
        return
    line = getattr(node, "lineno", line)
    for operator, change in _changes(node, put, parent):
        yield line, operator, change
    for field, value in ast.iter_fields(node):
        if field in UNTOUCHED:
            continue
        for at, child in enumerate(value if isinstance(value, list) else [value]):
            if isinstance(child, ast.AST):
                yield from sites(child, _place(node, field, at if isinstance(value, list) else None), node, line)


def mutate(source, number):
    """Return the tree with that mutant in it, its line, its operator, and the statement before and after."""
    tree = ast.parse(source)
    line, operator, change = list(sites(tree))[number]
    statement = [node for node in ast.walk(tree) if isinstance(node, ast.stmt) and _spans(node, line)][-1]
    holder = next(node for node in ast.walk(tree) if statement in _children(node))
    before, at = ast.unparse(statement), list(_children(holder)).index(statement)
    change()
    after = ast.unparse(list(_children(holder))[at])
    return ast.fix_missing_locations(tree), line, operator, *_differing(before.splitlines(), after.splitlines())


def _is_skipped(node, parent):
    if isinstance(node, (ast.JoinedStr, ast.Assert)):
        return True
    if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
        return True
    if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in NAMES:
        return True
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _changes(node, put, parent):  # noqa: C901 - a table of kinds
    match node:
        case ast.Compare(ops=[op, *rest]):
            yield "comparison", lambda: setattr(node, "ops", [_other(op), *rest])
        case ast.BoolOp() | ast.BinOp() | ast.AugAssign() if type(node.op) in SWAPS:
            kind = "boolean" if isinstance(node, ast.BoolOp) else "arithmetic"
            yield kind, lambda: setattr(node, "op", _other(node.op))
        case ast.UnaryOp(op=ast.Not()):
            yield "boolean", lambda: put(node.operand)
        case ast.Continue() | ast.Break():
            yield "removed", lambda: put(_at(_other(node), node))
        case ast.Constant(value=bool(value)):
            yield "constant", lambda: setattr(node, "value", not value)
        case ast.Constant(value=int(value) | float(value)):
            yield "constant", lambda: setattr(node, "value", value + 1)
        case ast.Constant(value=str(value)) if isinstance(parent, SPOKEN):
            yield "constant", lambda: setattr(node, "value", value + "x")
        case ast.Return(value=ast.expr() as value) if not _is_none(value):
            yield "return", lambda: setattr(node, "value", _at(ast.Constant(None), node))
        case ast.Call(args=[first, second, *rest]) if not _alike(first, second) and ast.unparse(node.func) not in EVEN:
            yield "arguments", lambda: setattr(node, "args", [second, first, *rest])
    if isinstance(node, (ast.If, ast.While, ast.IfExp)) and not _is_tested(node.test):
        yield "boolean", lambda: setattr(node, "test", _at(ast.UnaryOp(ast.Not(), node.test), node))
    if _is_removable(node):
        yield "removed", lambda: put(_at(ast.Pass(), node))


def _is_removable(node):
    if isinstance(node, ast.Expr):
        return isinstance(node.value, (ast.Call, ast.Await))
    if isinstance(node, ast.Assign):  # without a name of its own the function would not run at all
        return any(not isinstance(target, ast.Name) for target in node.targets)
    return isinstance(node, (ast.AugAssign, ast.Delete, ast.Raise))


def _is_tested(test):
    """Whether the condition has mutants already: it compares, combines or negates."""
    return isinstance(test, (ast.Compare, ast.BoolOp, ast.Constant)) or isinstance(getattr(test, "op", 0), ast.Not)


def _is_none(value):
    return isinstance(value, ast.Constant) and value.value is None


def _alike(one, other):
    return ast.dump(one) == ast.dump(other) or isinstance(one, ast.Starred) or isinstance(other, ast.Starred)


def _other(op):
    return SWAPS[type(op)]()


def _at(new, old):
    return ast.copy_location(new, old)


def _place(node, field, at):
    def put(new):
        if at is None:
            setattr(node, field, new)
        else:
            getattr(node, field)[at] = new

    return put


def _children(node):
    fields = (getattr(node, field, ()) for field in ("body", "orelse", "finalbody", "handlers"))
    return [child for field in fields if isinstance(field, list) for child in field]  # the body of a lambda is not one


def _spans(node, line):
    return node.lineno <= line <= (node.end_lineno or node.lineno)


def _differing(before, after):
    """Return the lines of each that the other one has not, as text."""
    while before and after and before[0] == after[0]:
        before, after = before[1:], after[1:]
    while before and after and before[-1] == after[-1]:
        before, after = before[:-1], after[:-1]
    return "\n".join(before), "\n".join(after)
