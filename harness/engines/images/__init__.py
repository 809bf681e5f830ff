"""Container images: which one plays a component's part, and how those that can't be pulled are made."""

from harness.engines.images.local import Image, ensure, find
from harness.engines.images.references import Candidate, Reference, candidates, parse

__all__ = ["Candidate", "Image", "Reference", "candidates", "ensure", "find", "parse"]
