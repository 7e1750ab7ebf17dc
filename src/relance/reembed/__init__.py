"""Another model, or another way to split, without a gap: built beside, compared, switched to.

- `reembedding`: building beside the serving tables, and catching up with them
- `gate`: old and new on the same questions
- `switching`: which tables readers use: the new ones, or the old ones again
- `outcome`: what came of it
"""

from __future__ import annotations

from relance.reembed.gate import Verdict
from relance.reembed.outcome import Outcome
from relance.reembed.reembedding import Reembedding, check_gate, is_due, plan, reembed
from relance.reembed.switching import switch_back

__all__ = ["Outcome", "Reembedding", "Verdict", "check_gate", "is_due", "plan", "reembed", "switch_back"]
