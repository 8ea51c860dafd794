"""Who goes next: what is chosen, as a value; the strategies that choose; and shrinking."""
