"""What notebooks show of an object: a small card in HTML, in the colours of the notebook, whether dark or light."""

from relance.notebook.card import card, counted, escaped, line

__all__ = ["card", "counted", "escaped", "line"]
