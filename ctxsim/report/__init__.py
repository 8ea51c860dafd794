"""What a reader gets: one document, and views of it (text, matrix, JUnit)."""
