"""Who goes next: what is chosen, as a value; strategies; shrinking; and what runs by it."""
