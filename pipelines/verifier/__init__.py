"""The verifier: what a stranger trusts. It shares no code with what it verifies, and can be read in one
sitting.

`verify_bundle` checks a published bundle with nothing but the bundle; `audit` checks, before anything is
published, the certificates that the disclosure stage left in the project zone, and `Keyed` the numbers that
cell keys changed; `verify_protected` checks what `uttag protect` wrote; `tells_of_few` looks at two versions
of one bundle.
"""

from pipelines.verifier.audit import audit
from pipelines.verifier.bundle import verify_bundle
from pipelines.verifier.keyed import Changes, Keyed
from pipelines.verifier.nights import tells_of_few
from pipelines.verifier.protected import verify_protected
from pipelines.verifier.tables import Claim

__all__ = ["Changes", "Claim", "Keyed", "audit", "tells_of_few", "verify_bundle", "verify_protected"]
