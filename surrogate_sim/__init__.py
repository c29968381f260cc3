"""Physics of perovskite quantum dots: materials, optics, flow, and plants to act on."""
