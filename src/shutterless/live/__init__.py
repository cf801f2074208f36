"""What a deployed API has seen: its records, collected from its log."""
