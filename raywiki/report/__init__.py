"""What a corpus holds and what growing brought, for people."""
