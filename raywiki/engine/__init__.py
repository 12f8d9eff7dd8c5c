"""The verbs, spread over a cluster: the only package that imports ray."""
