"""From songs to a store of phrases on disk, and from the store to batches."""
