"""What a GraphQL query costs: its depth, or the weights of its fields (graphql-limit-count/cost.lua). Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any, NamedTuple

from harness.emulators.apisix.match.lua_values import to_number

#: a document that spreads its fragments into more selections is refused
MOST_SELECTIONS = 100_000
_WEIGHTS = ("add_value", "mul_value", "add_arguments", "mul_arguments")


class TooManySelections(ValueError):
    """The query expands without end, or nearly so."""


class FragmentCycle(ValueError):
    """Fragments that spread each other."""


@dataclass(slots=True)
class Position:
    """A position in the schema's graph below which decorations hang, `depth` names from the root."""

    children: dict[str, Position] = field(default_factory=dict)
    decoration: Mapping[str, Any] | None = None
    depth: int = 0


def positions(decorations: Sequence[Mapping[str, Any]]) -> Position:
    """A service's decorations by their field_path."""
    root = Position()
    for decoration in decorations:
        place = root
        names = [name for name in decoration["field_path"].split(".") if name]
        for name in names:
            place = place.children.setdefault(name, Position())
        if names:
            place.decoration, place.depth = decoration, len(names)
    return root


@dataclass(frozen=True, slots=True)
class SchemaField:
    """A field of a type: the type it gives, and its arguments' defaults."""

    type: str | None
    defaults: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Types:
    """What the walk needs of an upstream's schema."""

    query: str
    mutation: str
    fields: Mapping[str, Mapping[str, SchemaField]]


class _Visit(NamedTuple):
    """A field on the way down: its node, decoration and definition, its type, the positions it may still be at."""

    node: Any
    decoration: Mapping[str, Any] | None
    known: SchemaField | None
    type: str | None
    places: tuple[Position, ...]


# -- depth


def depth(operations: Sequence[Any], fragments: Mapping[str, Any]) -> int:
    """The deepest nesting of selections, at least 1; raises FragmentCycle."""
    measured: dict[str, int] = {}
    return max(1, *(_depth(operation, fragments, (), measured) for operation in operations))


def _depth(node: Any, fragments: Mapping[str, Any], within: tuple[str, ...], measured: dict[str, int]) -> int:
    if node.kind == "fragment_spread":
        return _fragment_depth(node.name.value, fragments, within, measured)
    deepest = _selections_depth(node, fragments, within, measured)
    if node.kind == "inline_fragment" or not _selected(node):
        return deepest
    return deepest + 1


def _fragment_depth(name: str, fragments: Mapping[str, Any], within: tuple[str, ...], measured: dict[str, int]) -> int:
    if name in within:
        raise FragmentCycle(name)
    if name not in measured and name in fragments:
        measured[name] = _selections_depth(fragments[name], fragments, (*within, name), measured)
    return measured.get(name, 0)


def _selections_depth(
    node: Any, fragments: Mapping[str, Any], within: tuple[str, ...], measured: dict[str, int]
) -> int:
    return max((_depth(child, fragments, within, measured) for child in _selected(node)), default=0)


def _selected(node: Any) -> tuple[Any, ...]:
    """What is selected below a node."""
    chosen = getattr(node, "selection_set", None)
    return tuple(chosen.selections) if chosen is not None else ()


# -- weights


class Walk:
    """One document's walk from the operations down, beside the schema's types."""

    def __init__(
        self,
        fragments: Mapping[str, Any],
        root: Position,
        types: Types | None,
        variables: Mapping[str, Any] | None,
        use_defaults: bool,
    ) -> None:
        self._fragments = fragments
        self._root = root
        self._types = types
        self._variables = variables or {}
        self._use_defaults = use_defaults
        self._declared: dict[str, Any] = {}
        self._left = MOST_SELECTIONS
        self._within: set[str] = set()

    def cost(self, strategy: str, operation: Any) -> float:
        """An operation's cost by complexity or node_quantifier; raises TooManySelections."""
        self._declared = _declared(operation) if self._use_defaults else {}
        kind = self._root_type(operation)
        places = (self._root.children[kind],) if kind is not None and kind in self._root.children else ()
        visit = _Visit(operation, _merged(places), None, kind, places)
        return self._quantified(visit, 1) if strategy == "node_quantifier" else self._complexity(visit)

    def _root_type(self, operation: Any) -> str | None:
        if self._types is None:
            return None
        mutates = getattr(getattr(operation, "operation", None), "value", "") == "mutation"
        return self._types.mutation if mutates else self._types.query

    def _complexity(self, visit: _Visit) -> float:
        below = sum(self._complexity(child) for child in self._below(visit.node, visit.type, visit.places))
        add, times, _ = self._weights(visit)
        return below * times + add

    def _quantified(self, visit: _Visit, times: float) -> float:
        """Only nodes with a quantifier cost; `times` is how often the ancestors have the node resolved."""
        add, own, quantified = self._weights(visit)
        cost = times * add if quantified else 0.0
        if quantified:
            times *= own
        return cost + sum(self._quantified(child, times) for child in self._below(visit.node, visit.type, visit.places))

    def _below(self, node: Any, kind: str | None, places: tuple[Position, ...]) -> Iterator[_Visit]:
        """The fields selected by a node, fragments seen through."""
        for chosen in _selected(node):
            self._left -= 1
            if self._left < 0:
                raise TooManySelections
            if chosen.kind == "field":
                yield self._visit(chosen, kind, places)
            elif chosen.kind == "inline_fragment":
                yield from self._narrowed(chosen, kind, places)
            else:
                yield from self._spread(chosen.name.value, kind, places)

    def _spread(self, name: str, kind: str | None, places: tuple[Position, ...]) -> Iterator[_Visit]:
        if name in self._fragments and name not in self._within:
            self._within.add(name)
            yield from self._narrowed(self._fragments[name], kind, places)
            self._within.discard(name)

    def _narrowed(self, fragment: Any, kind: str | None, places: tuple[Position, ...]) -> Iterator[_Visit]:
        """A fragment's fields, which belong to the type of its condition where the schema knows that."""
        condition = fragment.type_condition.name.value if fragment.type_condition else None
        if condition is not None and self._types is not None and condition in self._types.fields:
            seed = self._root.children.get(condition)
            if condition != kind and seed is not None:
                places = (seed, *places)
            kind = condition
        return self._below(fragment, kind, places)

    def _visit(self, node: Any, kind: str | None, places: tuple[Position, ...]) -> _Visit:
        if kind is None or self._types is None:
            return _Visit(node, None, None, None, ())
        name = node.name.value
        known = self._types.fields.get(kind, {}).get(name)
        below = known.type if known else None
        # a field of a type may be decorated without the schema knowing the field
        parents = places or ((self._root.children[kind],) if kind in self._root.children else ())
        moved = [place.children[name] for place in parents if name in place.children]
        if below is not None and below in self._root.children:
            moved.append(self._root.children[below])
        return _Visit(node, _merged(tuple(moved)), known, below, tuple(moved))

    def _weights(self, visit: _Visit) -> tuple[float, float, bool]:
        """(what the node costs, how its selections are multiplied, whether an argument did that)."""
        decoration = visit.decoration
        if decoration is None:
            return 1, 1, False
        add, times = decoration.get("add_value", 1), decoration.get("mul_value", 1)
        quantified = False
        for name in decoration.get("add_arguments", ()):
            add += self._count(visit, name) or 0
        for name in decoration.get("mul_arguments", ()):
            value = self._count(visit, name)
            if value is not None:
                times, quantified = times * value, True
        return add, times, quantified

    def _count(self, visit: _Visit, name: str) -> float | None:
        """An argument as a count: finite and not negative, else it is as if it weren't there."""
        present, value = self._argument(visit.node, name)
        if not present and self._use_defaults and visit.known is not None:
            value = visit.known.defaults.get(name)
        number = to_number(value)
        return number if number is not None and 0 <= number < inf else None

    def _argument(self, node: Any, name: str) -> tuple[bool, Any]:
        for argument in getattr(node, "arguments", None) or ():
            if argument.name.value == name:
                return self._literal(argument.value)
        return False, None

    def _literal(self, value: Any) -> tuple[bool, Any]:
        """(whether there is one, the scalar); lists and objects are none."""
        if value.kind == "variable":
            name = value.name.value
            if name in self._variables:
                return True, self._variables[name]
            return self._declared.get(name) is not None, self._declared.get(name)
        given = getattr(value, "value", None)
        return given is not None, given


def _declared(operation: Any) -> dict[str, Any]:
    """The defaults that an operation declares for its variables."""
    declared = getattr(operation, "variable_definitions", None) or ()
    return {
        one.variable.name.value: getattr(one.default_value, "value", None)
        for one in declared
        if one.default_value is not None
    }


def _merged(places: tuple[Position, ...]) -> Mapping[str, Any] | None:
    """The decorations of positions that name the same field; the longer path wins."""
    found = sorted((place for place in places if place.decoration is not None), key=lambda place: place.depth)
    if len(found) < 2:
        return found[0].decoration if found else None
    merged: dict[str, Any] = {}
    for place in found:
        decoration = place.decoration or {}
        merged.update({key: decoration[key] for key in _WEIGHTS if key in decoration})
    return merged
