"""The published figures as checks: one module for each twin, `ROWS` by row of the table."""
