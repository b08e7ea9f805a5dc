"""What waits for whom, what was sent, what must still be proven, and a person's word on all of it. No network."""
