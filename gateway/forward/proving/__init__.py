"""What was sent is asked about: storage commitment and queries, and what their answers make of a delivery."""
