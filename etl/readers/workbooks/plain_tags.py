"""Plain tags: what the attributes of elements say, where many elements have the same ones.

It must never know what an attribute means. Each tag is given to a parser once, under the namespaces that hold where it
stands; whoever takes the answer for all the others knows that they are written alike.
"""

from collections.abc import Mapping
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

_MOST_KEPT = 20_000
_MOST_CHARACTERS = 1_000
_MOST_DECLARED = 100
"""Programs declare about ten; they are parsed anew with each tag."""


class PlainTags:
    """The tags of one part, by their text."""

    def __init__(self) -> None:
        self.declared: list[tuple[str, str]] = []
        """The namespaces in scope, prefix (empty: the default) and name; inner ones last."""
        self._known: dict[str, Mapping[str, str] | None] = {}

    def listen(self, parser: expat.XMLParserType) -> None:
        """Learn the namespaces from the parser of the part."""
        parser.StartNamespaceDeclHandler = lambda prefix, name: self.declared.append((prefix or "", name or ""))
        parser.EndNamespaceDeclHandler = lambda _: self.declared.pop()

    def attributes(self, tag: str) -> Mapping[str, str] | None:
        """The attributes of a tag (`row r="1" spans="1:8"`), or None where it is not well-formed or means more."""
        if len(tag) > _MOST_CHARACTERS:
            return None
        if tag not in self._known:
            if len(self._known) >= _MOST_KEPT:
                self._known.clear()
            self._known[tag] = self._parse(tag)
        return self._known[tag]

    def _parse(self, tag: str) -> Mapping[str, str] | None:
        if len(self.declared) > _MOST_DECLARED:
            return None
        found: list[Mapping[str, str]] = []
        declared: list[str | None] = []
        parser = expat.ParserCreate(namespace_separator=" ")
        scope = {f"xmlns:{prefix}" if prefix else "xmlns": name for prefix, name in self.declared}
        outer = "".join(f" {key}={quoteattr(name)}" for key, name in scope.items() if key != "xmlns:xml")
        try:
            parser.Parse(f"<r{outer}>".encode())
            parser.StartElementHandler = lambda _, attributes: found.append(attributes)
            parser.StartNamespaceDeclHandler = lambda prefix, _: declared.append(prefix)
            parser.Parse(f"<{tag}/></r>".encode())
            parser.Parse(b"", True)  # noqa: FBT003  # expat's own signature
        except expat.ExpatError:
            return None
        return None if declared else found[0]
