"""What a trained sandwich does: generate, encode, decode, restore."""
