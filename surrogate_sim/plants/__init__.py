"""Plants: twins with state that simulated instruments act on and read from."""
