"""Speed, measured side by side: ratios of ours to what one would use otherwise, with the machine named."""
