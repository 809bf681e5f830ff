"""Conditions over variables, as lua-resty-expr reads them: compiled once to one function of the request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.emulators.apisix import pcre
from harness.emulators.apisix.context import Context
from harness.emulators.apisix.match.addresses import AddressError, AddressSet
from harness.emulators.apisix.match.lua_values import same, to_number, to_text

Condition = Callable[[Context], bool]
#: a variable's value in a request: text, None, or for body variables any JSON value
Getter = Callable[[Context], Any]
Test = Callable[[Any], bool]

LOGIC = ("OR", "!OR", "AND", "!AND")


class ExpressionError(ValueError):
    """A condition that lua-resty-expr would refuse; the text is its own."""


def latin(value: Any) -> Any:
    """Configuration text as it compares with a request's: its UTF-8 bytes, one character each."""
    if isinstance(value, str) and not value.isascii():
        return value.encode("utf-8", "surrogatepass").decode("latin-1")
    return value


def compile_expression(rule: Any, getter: Callable[[str], Getter]) -> Condition | None:
    """The condition for `rule` (a JSON list), or None when it always holds; `getter` finds a variable by name.

    Raises ExpressionError.
    """
    if not isinstance(rule, list) or not rule:
        return None
    if not isinstance(rule[0], list | dict) and str(rule[0]).upper() not in LOGIC:
        raise ExpressionError("rule should be wrapped inside brackets")
    return _compile(rule, getter)


def check(rule: Any) -> str | None:
    """What lua-resty-expr has against `rule`, or None."""
    try:
        compile_expression(rule, lambda name: lambda ctx: None)
    except ExpressionError as error:
        return str(error)
    return None


def _compile(rule: Any, getter: Callable[[str], Getter]) -> Condition:
    if not isinstance(rule, list) or not rule:
        raise ExpressionError("rule too short")
    if isinstance(rule[0], list | dict):
        return _logic("AND", [_compile(part, getter) for part in rule])
    word = str(rule[0]).upper()
    if word not in LOGIC:
        return _comparison(rule, getter)
    if len(rule) <= 2:
        raise ExpressionError("rule too short")
    return _logic(word, [_compile(part, getter) for part in rule[1:]])


def _logic(word: str, parts: list[Condition]) -> Condition:
    if len(parts) == 1 and word in ("AND", "OR"):
        return parts[0]
    fixed = tuple(parts)

    def every(ctx: Context) -> bool:
        return all(part(ctx) for part in fixed)

    def some(ctx: Context) -> bool:
        return any(part(ctx) for part in fixed)

    chosen = {"AND": every, "!AND": every, "OR": some, "!OR": some}[word]
    if word.startswith("!"):
        return lambda ctx: not chosen(ctx)
    return chosen


def _comparison(rule: list[Any], getter: Callable[[str], Getter]) -> Condition:
    name, operator, operand, reverse = _parts(rule)
    test = TESTS[operator](operand)
    value = getter(str(latin(name)))
    if reverse:
        return lambda ctx: not test(value(ctx))
    return lambda ctx: test(value(ctx))


class _Missing:
    """Lua's nil where JSON's null (ngx.null) may stand as well."""


_NIL = _Missing()


def _parts(rule: list[Any]) -> tuple[Any, str, Any, bool]:
    """(variable, operator, operand, negated), with the library's tolerance for a left-out operator."""
    reverse = len(rule) == 4
    if reverse and rule[1] != "!":
        raise ExpressionError("bad 'not' expression")
    rest = rule[2:] if reverse else rule[1:]
    operator = to_text(rest[0]).lower() if rest else None
    operand = rest[1] if len(rest) > 1 else _NIL
    if operand is _NIL and operator not in TESTS:
        # ["arg_a", "x"] means == and, as the library lower-cases what it takes for an operator, compares with "x"
        operand, operator = (operator if operator is not None else _NIL), "=="
        if operand is _NIL:
            raise ExpressionError("invalid expression")
    if rule[0] is None or operator is None:
        raise ExpressionError("invalid expression")
    if operator not in TESTS:
        raise ExpressionError(f"invalid operator '{operator}'")
    return rule[0], operator, None if operand is _NIL else latin(operand), reverse


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _equal(operand: Any) -> Test:
    if _is_number(operand):
        return lambda value: to_number(value) == operand
    if isinstance(operand, str):
        return lambda value: bool(value == operand)
    return lambda value: same(value, operand)


def _unequal(operand: Any) -> Test:
    equal = _equal(operand)
    return lambda value: not equal(value)


def _ordered(compare: Callable[[float, float], bool]) -> Callable[[Any], Test]:
    def build(operand: Any) -> Test:
        limit = to_number(operand)

        def test(value: Any) -> bool:
            number = to_number(value)
            return number is not None and limit is not None and compare(number, limit)

        return test

    return build


def _matches(options: str) -> Callable[[Any], Test]:
    def build(operand: Any) -> Test:
        try:
            search = pcre.compile(to_text(operand).encode("latin-1").decode("utf-8", "replace"), options).search
        except ValueError:
            # ngx.re.find answers nil for a pattern it can't compile: no match, at every request
            return lambda value: False
        return lambda value: value is not None and value is not False and search(to_text(value)) is not None

    return build


def _in(operand: Any) -> Test:
    if not isinstance(operand, list):
        return lambda value: False
    members = [latin(member) for member in operand]
    texts = frozenset(member for member in members if isinstance(member, str))
    others = tuple(member for member in members if not isinstance(member, str) and member is not None)
    return lambda value: value in texts if isinstance(value, str) else any(same(value, other) for other in others)


def _has(operand: Any) -> Test:
    return lambda value: isinstance(value, list) and any(same(member, operand) for member in value)


def _ip_match(operand: Any) -> Test:
    addresses = operand if isinstance(operand, list) else [operand]
    if not addresses or operand in ("", None, False):
        raise ExpressionError("invalid ip address")
    try:
        return AddressSet([to_text(address) for address in addresses]).match
    except AddressError as error:
        raise ExpressionError(str(error)) from error


#: operator → (operand → test of the variable's value)
TESTS: dict[str | None, Callable[[Any], Test]] = {
    "==": _equal,
    "~=": _unequal,
    ">": _ordered(lambda left, right: left > right),
    ">=": _ordered(lambda left, right: left >= right),
    "<": _ordered(lambda left, right: left < right),
    "<=": _ordered(lambda left, right: left <= right),
    "~~": _matches(""),
    "~*": _matches("i"),
    "in": _in,
    "has": _has,
    "ipmatch": _ip_match,
}
