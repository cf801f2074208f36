"""Find photos that show the same thing: bursts, crops, duplicates, and groups that users name."""
