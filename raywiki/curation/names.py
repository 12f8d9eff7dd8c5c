"""Names of the rules that `resolve_rules` knows, for who must not load Polars to show them."""

ARTICLE_RULE_NAMES = ("disambiguation", "list", "stub")
RULE_SET_NAMES = ("gopher_quality", "gopher_repetition", "c4", "fineweb")
