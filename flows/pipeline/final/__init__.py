"""What the champion is compared with at the end."""
