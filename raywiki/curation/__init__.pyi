# The public names, each with the module that it is loaded from when it is first used.

from .articles import in_sample as in_sample
from .decisions import count_decisions as count_decisions
from .decisions import decide as decide
from .decisions import published_texts as published_texts
from .rules import Rule as Rule
from .rules import evaluate_rules as evaluate_rules
from .rules import resolve_rules as resolve_rules
from .rules import reuse_reasons as reuse_reasons
from .rules import unchanged_rules as unchanged_rules
from .signatures import SIGNATURE_FORMAT as SIGNATURE_FORMAT
from .signatures import articles_to_signatures as articles_to_signatures
from .signatures import signatures_to_bands as signatures_to_bands
from .similarity import candidate_pairs as candidate_pairs
from .similarity import key_ranges as key_ranges
from .similarity import merge_candidates as merge_candidates
from .similarity import merge_pairs as merge_pairs
from .similarity import verify_pairs as verify_pairs
