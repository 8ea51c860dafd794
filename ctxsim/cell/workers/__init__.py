"""Who carries requests at the same time."""
