"""How good a trained run is: measurements, and their tables and figures."""
