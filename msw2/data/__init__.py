"""Makes a store of phrases from songs, and batches from the store."""
