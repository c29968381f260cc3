"""Calibrations of detectors, which the device keeps and its emulator and simulation share."""

PIXELS = 2068  # of an Ocean HDX (data sheet)
# Wavelength of a pixel [nm] by the powers of its number, in single precision as the device keeps
# them: a grating from 350 to 1000 nm on an even axis (assumed).
WAVELENGTHS = (350.0, 0.31446540355682373)
