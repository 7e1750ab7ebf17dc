"""PDF: read by PDFium; what its lines mean is found here.

`reading` asks PDFium; `furniture`, `headings` and `writing` work on what was read.
"""

from relance.parsers.pdf.parser import Pdf, PdfOptions

__all__ = ["Pdf", "PdfOptions"]
