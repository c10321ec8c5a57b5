"""The networks of MIDI-Sandwich2: BVAE, refiner, MFG-VAE, and the sandwich made of them."""
