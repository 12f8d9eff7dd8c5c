"""The verbs that need no cluster: they run in this process. No Ray."""
