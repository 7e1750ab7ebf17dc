"""What notebooks show of an object: a small card in HTML, in the colours of the notebook, whether dark or light."""

from relance.notebook.card import card, escaped, line

__all__ = ["card", "escaped", "line"]
