"""Lists the HTTP calls of a Nacos version from its sources: `python walk.py CHECKOUT TAG > TAG.txt`.

`CHECKOUT` is a clone of alibaba/nacos. A line is a method, a path and the parameters that choose the call; a mapping
that takes any method is listed as GET, for that is how it is asked.
"""

from __future__ import annotations

import re
import subprocess
import sys

#: Controllers that are other programs, or listen on ports of their own: module → what it is.
ELSEWHERE = {
    "address": "the address server, a program of its own",
    "mcp-registry-adaptor": "a registry of MCP servers on a port of its own, off by default",
}
_MAPPING = re.compile(r"@(Get|Post|Put|Delete|Patch|Request)Mapping(?:\(((?:[^()]|\([^()]*\))*)\))?")


class Sources:
    """The Java files of one version."""

    def __init__(self, checkout: str, tag: str) -> None:
        self._checkout, self._tag = checkout, tag
        self._constants: dict[str, dict[str, str]] = {}
        for file in self._files(r"static final String"):
            found = re.findall(r"String\s+([A-Z_0-9]+)\s*=\s*([^;]+);", self.text(file))
            self._constants.setdefault(_class_of(file), {}).update(found)

    def _git(self, *argv: str) -> str:
        return subprocess.run(["git", "-C", self._checkout, *argv], capture_output=True, text=True, check=True).stdout

    def _files(self, having: str) -> list[str]:
        listed = self._git("grep", "-lE", having, self._tag, "--", "*/src/main/java/*.java")
        return [line.partition(":")[2] for line in listed.split()]

    def text(self, file: str) -> str:
        """A file without its comments."""
        source = self._git("show", f"{self._tag}:{file}")
        return re.sub(r"//[^\n]*", "", re.sub(r"/\*.*?\*/", "", source, flags=re.DOTALL))

    def calls(self) -> set[tuple[str, str, str]]:
        """(method, path, parameters) of every call of the server's own ports."""
        files = self._files(r"@(Get|Post|Put|Delete|Patch|Request)Mapping")
        return {call for file in files if file.partition("/")[0] not in ELSEWHERE for call in self._calls_of(file)}

    def _calls_of(self, file: str) -> list[tuple[str, str, str]]:
        source, owner = self.text(file), _class_of(file)
        start = re.search(r"\bclass\s+\w+", source)
        if start is None:
            return []
        outer = _MAPPING.search(source[: start.start()])
        bases = self._paths(outer[2] or "", owner) if outer else [""]
        return [
            (method, (base.rstrip("/") + (f"/{path.lstrip('/')}" if path else "")) or "/", _params(found[2] or ""))
            for found in _MAPPING.finditer(source, start.end())
            for method in _methods(found[1], found[2] or "")
            for base in bases
            for path in self._paths(found[2] or "", owner)
        ]

    def _paths(self, arguments: str, owner: str) -> list[str]:
        named = re.search(r"(?:value|path)\s*=\s*(\{[^}]*\}|[^,]+)", arguments)
        if named is None and (not arguments.strip() or re.match(r"\s*\w+\s*=", arguments)):
            return [""]
        value = (named[1] if named else arguments).strip()
        items = value[1:-1].split(",") if value.startswith("{") else [value.split(",")[0]]
        return [self._value(item, owner) for item in items if item.strip()]

    def _value(self, expression: str, owner: str) -> str:
        return "".join(self._term(term.strip(), owner) for term in expression.split("+") if term.strip())

    def _term(self, term: str, owner: str) -> str:
        if term.startswith('"'):
            return term.strip('"')
        *qualifiers, name = term.split(".")
        for place in (*reversed(qualifiers), owner, *self._constants):
            if name in self._constants.get(place, {}):
                return self._value(self._constants[place][name], place)
        raise LookupError(f"the constant {term} of {owner}")


def _class_of(file: str) -> str:
    return file.rpartition("/")[2].removesuffix(".java")


def _methods(kind: str, arguments: str) -> list[str]:
    if kind != "Request":
        return [kind.upper()]
    return re.findall(r"RequestMethod\.(\w+)", arguments) or ["GET"]


def _params(arguments: str) -> str:
    found = re.search(r"params\s*=\s*\"([^\"]*)\"", arguments)
    return found[1] if found else ""


if __name__ == "__main__":
    for call in sorted(Sources(*sys.argv[1:3]).calls(), key=lambda call: (call[1], call[0], call[2])):
        print(" ".join(filter(None, call)))
